package ostreecmd

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/remote"
)

// transferSentence is about what a server did not send.
func transferSentence(err error) string {
	var status *remote.StatusError
	var transfer *remote.TransferError
	var limit *remote.LimitError
	var scheme *remote.SchemeError
	var list *remote.MirrorlistError
	switch {
	case errors.As(err, &list) && list.Err != nil:
		return fmt.Sprintf("While fetching mirrorlist '%s': %s", list.URL, sentence(list.Err))
	case errors.As(err, &list):
		return fmt.Sprintf("No valid mirrors were found in mirrorlist '%s'", list.URL)
	case errors.As(err, &status):
		return fmt.Sprintf("Server returned HTTP %d", status.Status)
	case errors.As(err, &transfer):
		return fmt.Sprintf("While fetching %s: %s", transfer.URL, causeSentence(transfer))
	case errors.As(err, &limit):
		return fmt.Sprintf("URI %s exceeded maximum size of %d bytes", limit.URL, limit.Limit)
	case errors.As(err, &scheme):
		return "Invalid URI scheme in " + scheme.URL
	case errors.Is(err, remote.ErrBadCache):
		return "OSTREE_REPO_TEST_ERROR_INVALID_CACHE"
	case errors.Is(err, remote.ErrClientKey):
		return "Remote must specify both \"tls-client-cert-path\" and \"tls-client-key-path\", or neither"
	}
	return metalinkSentence(err)
}

// causeSentence has libcurl's numbers and words for the usual causes.
func causeSentence(e *remote.TransferError) string {
	var dns *net.DNSError
	switch {
	case errors.As(e, &dns):
		return "[6] Couldn't resolve host name"
	case errors.Is(e, syscall.ECONNREFUSED), errors.Is(e, syscall.EHOSTUNREACH), errors.Is(e, syscall.ENETUNREACH):
		return "[7] Couldn't connect to server"
	case errors.Is(e, remote.ErrSlow):
		return "[28] Timeout was reached: " + e.Err.Error()
	case e.Cut:
		return "[18] Transferred a partial file: " + e.Err.Error()
	}
	return e.Err.Error()
}

func metalinkSentence(err error) string {
	var link *remote.MetalinkError
	var digest *remote.DigestError
	var content *remote.ContentError
	switch {
	case !errors.As(err, &link):
		return ""
	case errors.As(err, &digest):
		return "Invalid hash digest for " + digest.Hash
	case errors.As(err, &content) && content.Size != content.WantSize:
		return fmt.Sprintf("Expected size is %d bytes but content is %d bytes", content.WantSize, content.Size)
	case errors.As(err, &content):
		return fmt.Sprintf("Expected checksum is %s but actual is %s", content.Want, content.Got)
	case errors.Is(err, remote.ErrNoElement):
		return "Document must begin with an element (e.g. <book>)"
	case errors.Is(err, remote.ErrNoFile):
		return "Couldn't find <file name=\"summary\">"
	case errors.Is(err, remote.ErrNoHash):
		return "No <verification> element with known <hash type=> found"
	case errors.Is(err, remote.ErrNoSize):
		return "Missing or invalid <size> element"
	case errors.Is(err, remote.ErrNoURL):
		return "No <url method='http'> elements found"
	}
	return fmt.Sprintf("Failed to parse metalink %s: %s", link.URL, link.Err)
}

// unusableSentence is about remotes that nothing can be pulled from.
func unusableSentence(err error) string {
	var state *pull.UnconfiguredError
	var backend *pull.BackendError
	var mode *pull.ModeError
	switch {
	case errors.As(err, &state):
		return "remote unconfigured-state: " + state.State
	case errors.As(err, &backend):
		return fmt.Sprintf("Cannot fetch via libostree - remote '%s' uses custom backend '%s'", backend.Remote, backend.Backend)
	case errors.As(err, &mode):
		return fmt.Sprintf("Can't pull from archives with mode %q", mode.Mode)
	}
	return ""
}
