#!/usr/bin/env bash
# Installs the tools that tests ask for a second opinion. Idempotent; needs apt.
set -eu

declare -A package=(
	[bsdtar]=libarchive-tools
	[busybox]=busybox-static
	[bzip2]=bzip2
	[cpio]=cpio
	[createrepo_c]=createrepo-c
	[dnf]=dnf
	[e2fsck]=e2fsprogs
	[fsck.fat]=dosfstools
	[getfattr]=attr
	[gpg]=gnupg
	[grub-mkimage]=grub-common
	[matchpathcon]=selinux-utils
	[mcopy]=mtools
	[newuidmap]=uidmap
	[openssl]=openssl
	[ostree]=ostree
	[qemu-img]=qemu-utils
	[qemu-system-x86_64]=qemu-system-x86
	[rpm]=rpm
	[setcap]=libcap2-bin
	[sgdisk]=gdisk
	[strace]=strace
	[testsolv]=libsolv-tools
	[xz]=xz-utils
	[zstd]=zstd
)
export PATH=$PATH:/usr/sbin:/sbin

missing=()
for tool in "${!package[@]}"; do
	command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
done
[ -e /usr/libexec/installed-tests/libostree ] || missing+=(ostree-tests)
/usr/bin/python3 -c 'import gi' 2>/dev/null || missing+=(python3 python3-gi)
[ -e /etc/selinux/default/contexts/files/file_contexts ] || missing+=(selinux-policy-default)
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || missing+=(ovmf)
[ -e /usr/lib/grub/i386-pc ] || missing+=(grub-pc-bin)
[ -e /usr/lib/grub/x86_64-efi ] || missing+=(grub-efi-amd64-bin)
[ ${#missing[@]} -eq 0 ] && exit 0

list=$(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')
if ! command -v apt-get >/dev/null; then
	echo "peers: no apt-get here: install these yourself, or the tests that ask them are skipped: $list" >&2
	exit 0
fi
run=()
if [ "$(id -u)" != 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "peers: not root and no sudo: ask for \`apt-get install $list\`, or the tests that ask these tools are skipped" >&2
		exit 0
	fi
	run=(sudo -n)
fi
echo "peers: installing $list" >&2
"${run[@]}" apt-get update -q >/dev/null
# shellcheck disable=SC2086
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $list >/dev/null
