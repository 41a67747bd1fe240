// Package openpgp reads keyrings, makes and judges detached signatures, and keeps all
// that GnuPG tells about a signature, also about one that is not valid.
//
// # Format
//
// A keyring is a list of keys, binary or in armor, in one block or several behind one
// another. A key is a list of packets:
//
//	key, signatures by it: expiry and revocation of all
//	user ID, signatures: one for each ID
//	subkey, signatures: one for each subkey
//
// Packets that are none of these are left out, such as the trust packets of GnuPG. A
// key that stands in a keyring twice is one key with the packets of both, which is how
// a revocation or a later expiry arrives.
//
// # Which signatures count
//
// Those of a key over its own parts. The latest of them tells when a part expires; a
// revocation by the key revokes it for good, except that of a user ID, which a later
// signature undoes. Certification by others is not looked at: who puts a key into a
// keyring trusts it.
//
// A key that may sign is the first one, or a subkey that signed the first one in turn;
// a subkey that did not would be somebody else's.
//
// A secret may also come from GnuPG's own files: [Keyring.AddSecret], [ReadKeybox].
//
// Not here: secrets with a passphrase, for GnuPG; keys of version 3.
// Source: RFC 4880 and RFC 9580, and gpg 2.2 as observed.
package openpgp
