package ostreecmd

import (
	"errors"
	"strings"
	"syscall"
)

// sentence is an error in the words of stock ostree, which scripts look for, where it
// has words of its own.
func sentence(err error) string {
	for _, words := range []func(error) string{
		signSentence,
		configSentence,
		remoteSentence,
		unusableSentence,
		fsckSentence,
		lockSentence,
		pullSentence,
		transferSentence,
		refSentence,
		objectSentence,
		commitSentence,
		checkoutSentence,
	} {
		if s := words(err); s != "" {
			return s
		}
	}
	return asC(err)
}

// asC is an error with the words of the C library for what the kernel said, which
// begin with a capital.
func asC(err error) string {
	text := err.Error()
	var no syscall.Errno
	if !errors.As(err, &no) {
		return text
	}
	if i := strings.LastIndex(text, no.Error()); i >= 0 {
		return text[:i] + strerror(no) + text[i+len(no.Error()):]
	}
	return text
}
