package ostreecmd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// errDummy is about signatures that prove nothing.
var errDummy = errors.New("dummy signature type is only for ostree testing")

// signSentence is about signatures and keys.
func signSentence(err error) string {
	var commit *sign.CommitError
	if !errors.As(err, &commit) {
		return verdictSentence(err)
	}
	text := cmp.Or(verdictSentence(commit.Err), remoteSentence(commit.Err), commit.Err.Error())
	var kind *sign.KindError
	switch {
	case !errors.As(commit.Err, &kind) && !errors.Is(commit.Err, sign.ErrNoSignatures) || isGPG(commit.Err):
		return fmt.Sprintf("Commit %s: %s", commit.Commit, text)
	case !commit.Detached:
		return fmt.Sprintf("Can't verify commit %s without detached metadata", commit.Commit)
	}
	return fmt.Sprintf("Can't verify commit %s: %s", commit.Commit, text)
}

func isGPG(err error) bool {
	var gpg *sign.GPGError
	return errors.As(err, &gpg)
}

// verdictSentence says why nothing that was signed is accepted.
func verdictSentence(err error) string {
	var gpg *sign.GPGError
	var gpgSummary *sign.GPGSummaryError
	var kind *sign.KindError
	var key *sign.KeyError
	switch {
	case errors.As(err, &gpg):
		return gpgSentence(gpg.Signatures)
	case errors.As(err, &gpgSummary):
		what := map[error]string{sign.ErrNoSummary: "summary", sign.ErrNoSummarySignatures: "summary.sig"}[gpgSummary.Err]
		return fmt.Sprintf("GPG verification enabled, but no %s found (use gpg-verify-summary=false in remote config to disable)", what)
	case errors.Is(err, sign.ErrNoSummarySignatures):
		return "Signatures verification enabled, but no summary.sig found (use sign-verify-summary=false in remote config to disable)"
	case errors.Is(err, sign.ErrNoSummary):
		return "Signature verification enabled, but no summary found (check that the configured URL in remote config is correct)"
	case errors.As(err, &kind):
		return kindSentence(kind)
	case errors.Is(err, sign.ErrNoSignatures):
		return "No signatures found"
	case errors.Is(err, sign.ErrUnknownKind):
		return "Requested signature type is not implemented"
	case errors.Is(err, repo.ErrSeparators):
		return "key value list contains more than one separator"
	case errors.As(err, &key):
		return keySentence(key)
	}
	return ""
}

// gpgSentence describes signatures, the last one first.
func gpgSentence(list []openpgp.Signature) string {
	if len(list) == 0 {
		return "GPG verification enabled, but no signatures found (use gpg-verify=false in remote config to disable)"
	}
	var b strings.Builder
	for i := len(list) - 1; i >= 0; i-- {
		describeSignature(&b, list[i], "", time.Now())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func kindSentence(e *sign.KindError) string {
	more := ""
	if e.More > 0 {
		more = fmt.Sprintf("(%d other invalid signatures): ", e.More)
	}
	if e.Kind == sign.KindDummy {
		if e.Signatures == 0 {
			return more + "signature: dummy: commit have no signatures of my type"
		}
		return more + fmt.Sprintf("signature: dummy: incorrect signatures found: %d", e.Signatures)
	}
	switch n := len(e.Tried); {
	case e.Signatures == 0:
		return more + e.Kind + ": commit have no signatures of my type"
	case n == 0:
		return more + e.Kind + ": no signatures found"
	case n > 3:
		return more + fmt.Sprintf("%s: Signature couldn't be verified; tried %d keys", e.Kind, n)
	}
	return more + fmt.Sprintf("%s: Signature couldn't be verified with: key '%s'", e.Kind, strings.Join(e.Tried, "'; key '"))
}

// keySentence is about keys that cannot be had.
func keySentence(e *sign.KeyError) string {
	missing := errors.Is(e, fs.ErrNotExist)
	switch {
	case e.Kind == sign.KindGPG && errors.Is(e, sign.ErrNoKeyID):
		return fmt.Sprintf("Unable to lookup key ID %s: GPGME: Invalid value", e.Key)
	case e.Kind == sign.KindGPG && errors.Is(e, openpgp.ErrNotFound):
		return fmt.Sprintf("No gpg key found with ID %s (homedir: %s)", e.Key, e.From)
	case e.Kind == sign.KindGPG && missing:
		return fmt.Sprintf("opendir(%s): No such file or directory", e.From)
	case e.Kind == sign.KindGPG:
		return ""
	case errors.Is(e, sign.ErrNoFiles) && e.From == "":
		return "not implemented"
	case errors.Is(e, sign.ErrNoKeys) && e.From == "":
		return "No keys found for required signapi type " + e.Kind
	case e.From != "":
		return fmt.Sprintf("Failed loading '%s' keys from '%s", e.Kind, e.From)
	}
	return fmt.Sprintf("Failed loading '%s' keys from inline `verification-key`", e.Kind)
}
