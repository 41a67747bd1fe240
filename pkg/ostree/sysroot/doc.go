// Package sysroot lays out what makes a commit bootable on a disk: the physical
// root with its repository, a stateroot with one deployment, and the boot
// directory with kernel and boot entry. It is the state in which
//
//	ostree admin init-fs --modern, ostree admin os-init, ostree admin deploy
//
// leave an empty root, but planned in memory: content is named, not copied.
//
// # Layout
//
// The physical root:
//
//	boot/                                    where the boot file system is mounted
//	ostree/repo/                             a bare repository that holds the commit
//	ostree/deploy/OS/var/                    the stateroot's shared /var
//	ostree/deploy/OS/deploy/CSUM.0/          the deployment; its files are hard
//	                                         links to the repository's objects
//	ostree/deploy/OS/deploy/CSUM.0.origin    where upgrades come from
//	ostree/boot.1 -> boot.1.1
//	ostree/boot.1.1/OS/BOOTCSUM/0 -> ../../../deploy/OS/deploy/CSUM.0
//
// The boot file system:
//
//	loader -> loader.1
//	loader.1/entries/ostree-1-OS.conf        a boot entry (Boot Loader Specification)
//	ostree/OS-BOOTCSUM/vmlinuz-KVER, initramfs-KVER.img
//	boot -> .                                so that /boot/… resolves here too
//
// BOOTCSUM is the SHA-256 of kernel, initramfs and devicetree, one behind the
// other. Boot entries of two names for one deployment are never written: the older
// name with the stateroot in it is read by every version of libostree.
//
// Not here: several deployments, merging /etc, boot loaders' own files.
//
// Source: the behaviour of ostree 2022.7 to 2026.4; see docs/FORMATS.md.
package sysroot
