// Package selinux tells the labels that an SELinux policy has for files: what
// security.selinux is to be for a path and a file type.
//
// # Format
//
// A policy lies in etc/selinux (else usr/etc/selinux) of a root. The file config
// there says SELINUX=enforcing, permissive or disabled, and SELINUXTYPE=NAME. The
// policy itself is the folder NAME:
//
//	policy/policy.NN                        for the kernel; only its checksum is of use here
//	contexts/files/file_contexts            the specifications
//	contexts/files/file_contexts.homedirs   more of them, made from the accounts
//	contexts/files/file_contexts.local      more of them, the administrator's
//	contexts/files/file_contexts.subs_dist  substitutions
//	contexts/files/file_contexts.subs       substitutions, the administrator's
//
// A specification is a line REGEX [TYPE] CONTEXT, in ASCII. TYPE is -- for a file, -d,
// -l, -c, -b, -p or -s. The context <<none>> means: no label. A substitution is a line
// PREFIX REPLACEMENT; the last one whose PREFIX is the path or a folder above it
// replaces it, once in each of the two files, subs before subs_dist.
//
// # Which specification wins
//
// The last one that matches, in the order of the files above, except that those
// without a metacharacter come after all others. A regular expression is PCRE's,
// over bytes, '.' matches any of them, and ^ and $ are put around it as text: of a|b
// outside of brackets only the first is bound to the start, the last to the end.
// What stands before the second slash, its stem, is a condition of its own when it
// has no metacharacter: the path starts with that text and a slash. So /usr/? does not
// match /usr, and nothing matches /a\-b/c.
//
// # How it is fast
//
// All expressions are one automaton, made deterministic as far as the paths that are
// asked for need it, in bounded memory. A look-up costs one step a byte.
//
// Not here: what is beyond regular languages, or differs between versions of PCRE, is
// refused with [ErrUnsupported] when the policy is read: look-around, back
// references, atomic groups, possessive quantifiers, options, and ^ and $ within an
// expression. So are expressions with an error, which libselinux finds when it comes to
// them, to have no label then. Where PCRE gives up on a text that takes it too long, we do
// not. Compiled file_contexts.bin are not read: they hold the same.
//
// Source: file_contexts(5), selabel_file(5) and label_file.h of libselinux 3.4; the
// tests ask matchpathcon.
package selinux
