package remote

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/treewright/treewright/pkg/ostree"
)

// A StatusError is an answer other than what was asked for. One that says that there
// is no such file is [ostree.ErrNotFound].
type StatusError struct {
	URL    string // without a password
	Status int
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s: HTTP status %d", e.URL, e.Status) }

// Unwrap tells what the answer means.
func (e *StatusError) Unwrap() error {
	switch e.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return ostree.ErrNotFound
	}
	return nil
}

// passes tells whether a later request may have another answer.
func (e *StatusError) passes() bool {
	return e.Status >= 500 || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests
}

// A TransferError is a request that had no answer, or not all of one.
type TransferError struct {
	URL string // without a password
	Err error
	Cut bool // the answer had begun
}

func (e *TransferError) Error() string { return e.URL + ": " + e.Err.Error() }

func (e *TransferError) Unwrap() error { return e.Err }

// A LimitError is a file that is larger than it may be.
type LimitError struct {
	URL   string // without a password
	Limit int64  // bytes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: more than the %d bytes that are allowed", e.URL, e.Limit)
}

// A SchemeError is a URL that is none of HTTP.
type SchemeError struct{ URL string }

func (e *SchemeError) Error() string { return e.URL + ": not a URL of http or https" }

// ErrSlow is wrapped when a transfer is given up because it is too slow.
var ErrSlow = errors.New("too slow")

// A MirrorlistError is a list of mirrors that cannot be had, or of which none can be
// used.
type MirrorlistError struct {
	URL string
	Err error // nil: it is there
}

func (e *MirrorlistError) Error() string {
	if e.Err != nil {
		return "mirrorlist: " + e.Err.Error()
	}
	return "mirrorlist " + e.URL + ": no mirror can be used"
}

func (e *MirrorlistError) Unwrap() error { return e.Err }

// passes tells whether a request may succeed when it is made again.
func passes(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.passes()
	}
	var transfer *TransferError
	return errors.As(err, &transfer) && !permanent(transfer.Err)
}
