package rpm

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
)

// covered is what header digests and signatures cover: the main header's region.
func (h *Header) covered() []byte { return h.Region() }

// headerDigests compares the main header with the digests of the signature header.
func (h *Header) headerDigests() (out []Check) {
	for _, d := range []struct {
		tag       uint32
		algorithm digest.Algorithm
	}{
		{tagSigSHA3, digest.SHA3256}, {tagSigSHA256, digest.SHA256}, {tagSigSHA1, digest.SHA1},
	} {
		e, ok := h.signature.lookup(d.tag)
		if !ok || e.Type != typeString {
			continue
		}
		sum := d.algorithm.New()
		sum.Write(h.covered())
		c := Check{Range: RangeHeader, Tag: d.tag, Algorithm: d.algorithm}
		c.compare(hex.EncodeToString(sum.Sum(nil)), string(bytes.TrimRight(e.Value, "\x00")))
		out = append(out, c)
	}
	return out
}

func (c *Check) compare(got, want string) {
	if !strings.EqualFold(got, want) {
		c.Status, c.Detail = StatusBad, "is "+got+", promised was "+want
	}
}

// payloadDigestTags are those of the main header. The alternative is the digest of the
// payload without compression, with which a package may be stored, too.
var payloadDigestTags = []struct {
	tag, alternative uint32
	algorithm        digest.Algorithm
}{
	{tagPayloadSHA3, tagPayloadSHA3Alt, digest.SHA3256},
	{tagPayloadSHA512, tagPayloadSHA512Alt, digest.SHA512},
	{tagPayloadDigest, tagPayloadDigestAlt, digest.SHA256},
}

// payloadDigests begins with the digests of the payload.
func (h *Header) payloadDigests() (out []pendingDigest) {
	for _, d := range payloadDigestTags {
		algorithm := d.algorithm
		if n := h.ints(tagPayloadDigestAlgo); d.tag == tagPayloadDigest && len(n) > 0 {
			algorithm = digestAlgorithms[n[0]]
		}
		if algorithm.New() == nil {
			continue
		}
		for _, tag := range []uint32{d.alternative, d.tag} {
			want := h.strings(int(tag))
			if len(want) == 0 || want[0] == "" {
				continue
			}
			c := Check{Range: RangePayload, Tag: tag, Algorithm: algorithm, alternative: tag == d.alternative}
			out = append(out, pendingDigest{c, want[0], algorithm.New()})
		}
	}
	return out
}

// judgePayload compares digests. Of a digest and its alternative one has to be right.
func judgePayload(pending []pendingDigest) (out []Check) {
	right := map[digest.Algorithm]bool{}
	for i := range pending {
		p := &pending[i]
		p.compare(hex.EncodeToString(p.sum.Sum(nil)), p.want)
		right[p.Algorithm] = right[p.Algorithm] || p.Status == StatusOK
	}
	for _, p := range pending {
		if p.Status == StatusBad && (right[p.Algorithm] || p.alternative) {
			continue
		}
		out = append(out, p.Check)
	}
	return out
}
