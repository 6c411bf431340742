/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixed keys of the pack seeds: a root key of the bytes 00 to 1f, the
 * volume 'v' x 16, and the key object of its generation 1. With them every
 * seed in corpus/pack/ can be opened, for ever.
 */
#ifndef MERSEY_TESTS_PACK_FIXTURE_H
#define MERSEY_TESTS_PACK_FIXTURE_H

#define FIXTURE_ROOT                       \
	"mersey-root-key-1 "               \
	"000102030405060708090a0b0c0d0e0f" \
	"101112131415161718191a1b1c1d1e1f" \
	" 630dcd29\n"
#define FIXTURE_VOLUME_BYTE 'v'
#define FIXTURE_KEY_OBJECT                                                 \
	"4d45525345594b59010000000100000076767676767676767676767676767676" \
	"33062d7e6ade4e2b0000000000000000429741f2fab89512208cc35e2349af53" \
	"c752bcc2fd32008d46ad41dcbcbc5c53c0ca06f6a99f5f0646e9f28c2576752b" \
	"a6d4f7adafd4aad2472dde9f73465974fe5a9b4b43b9dfb3ea70b54e4847e16a"

#endif
