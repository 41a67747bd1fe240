// Package e2e tests the whole of treewright on a real distribution: RPMs made of
// Debian packages become a commit, images and deltas; the images boot under QEMU, and
// the host's own ostree reads the delta. It is behind the build tag e2e:
//
//	make e2e
//
// It needs a Debian mirror (the system's own), QEMU and OVMF, and takes some minutes.
package e2e
