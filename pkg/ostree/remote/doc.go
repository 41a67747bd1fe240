// Package remote is an OSTree repository that is reached over HTTP: the client, its
// mirrors, and the cache of summaries.
//
// # Requests
//
// A repository has one base URL or several, of which all have the same content. A
// request goes to the first base; when that does not have what is asked for, or fails,
// to the next one. A failure that may pass (no connection, 408, 429, 5xx) is tried
// again, with growing pauses, as often as the options say. A transfer that is cut goes
// on where it was cut when the server can do that.
//
// Objects and deltas may come from other bases than the files that tell what there is:
// summary, config, refs, and what is signed.
//
//	mirrorlist=URL   a text file with one base a line; the first one that has a config
//	                 is asked first, and those behind it are there for its failures
//	metalink         XML with size, checksums and places of a summary, whose folder is
//	                 the base
//
// # Bounds
//
// Everything that is read into memory has a limit. A transfer that is too slow for too
// long is given up. Nothing that comes over the network is believed: who calls compares
// objects with their checksums.
//
// Source: ostree 2022.7 as observed; see docs/FORMATS.md.
package remote
