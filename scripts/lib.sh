# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts: where the tree is, and what must be installed.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by those who source this

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What Debian 12 must have, by purpose.
packages_build='meson ninja-build pkg-config gcc libc6-dev libfuse3-dev fuse3
	libssl-dev liblz4-dev libyaml-dev libcurl4-openssl-dev libexpat1-dev
	libs3-dev libsqlite3-dev libjansson-dev uthash-dev libcmocka-dev'
packages_demo="$packages_build python3 python3-pydicom cpio passwd util-linux"
packages_test="$packages_build python3 python3-pytest python3-boto3
	python3-pydicom python3-yaml sqlite3 xfsprogs e2fsprogs attr curl
	openssl procps mount util-linux util-linux-extra bc"
# What looks at pages as people do; only in long runs.
packages_browser='chromium chromium-driver'
packages_lint='clang-format clang-tidy clang shellcheck mandoc git'
packages_rgw='radosgw ceph-mon ceph-osd ceph-common libeatmydata1'
packages_bench="$packages_build $packages_rgw python3 python3-boto3 python3-pytest
	curl openssl procps mount util-linux util-linux-extra findutils"
packages_fuzz="$packages_build clang libclang-rt-14-dev"

say() { printf '%s\n' "$*" >&2; }
die() {
	say "${0##*/}: $*"
	exit 1
}

# Installs those packages that are missing; root only when some are.
install_packages() {
	local p missing=()

	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] ||
		die "packages are missing: ${missing[*]} (run as root, or install them)"
	say "installing: ${missing[*]}"
	{
		apt-get update -qq &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
				--no-install-recommends "${missing[@]}" >/dev/null
	} || die "apt-get install failed"
}

# configure DIR [meson options]: once.
configure() {
	local dir=$1

	shift
	[ -f "$dir/build.ninja" ] ||
		meson setup "$dir" "$top" -Dwerror=true "$@" >&2 ||
		die "meson setup failed"
}

# build DIR [meson options]: configures once, then builds.
build() {
	configure "$@"
	ninja -C "$1" >&2 || die "the build failed"
}
