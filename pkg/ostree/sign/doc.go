// Package sign makes and judges the signatures of commits and summaries.
//
// # Kinds
//
//	gpg      ostree.gpgsigs       an OpenPGP signature, binary
//	ed25519  ostree.sign.ed25519  64 bytes
//	dummy    ostree.sign.dummy    the key itself; for tests of programs
//
// A signature is of the bytes of a commit object, or of the summary file. Those of one
// kind are an aay, the value of the key in the second column: in the detached metadata
// of a commit, objects/XX/REST.commitmeta, or in the file summary.sig, both an a{sv}.
//
// # Keys
//
// Of GPG there are keyrings: REMOTE.trustedkeys.gpg in the repository, the files and
// folders of a remote's option gpgkeypath, and, for a remote that has no keyring of its
// own, the *.gpg files of a folder of the system.
//
// Of ed25519 there are keys, 32 bytes in base64: a remote's option
// verification-ed25519-key has one, the file that verification-ed25519-file names has
// one a line, and where a remote has none, those of the system count: one a line in
// trusted.ed25519 and in the files of trusted.ed25519.d, below /etc/ostree and
// /usr/share/ostree. Those of revoked.ed25519 and revoked.ed25519.d never count. A
// secret key is the seed and the public key, together 64 bytes.
//
// # What a remote wants
//
// gpg-verify (true unless it says otherwise), gpg-verify-summary; sign-verify and
// sign-verify-summary: true, or the kinds that count. One good signature by a trusted
// key is enough.
//
// Source: ostree 2022.7 as observed, and the keys and signatures of its tests; see
// docs/FORMATS.md.
package sign
