/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one core seals packs. Prints MB/s of processor time (1e6 bytes) for
 * data that cannot be compressed, for CT-like data and for text:
 *   pack    all that the writer does: frames, SHA-256 of the pack, index
 *   frames  LZ4 and AES-256-GCM alone
 *   open    a frame opened again
 *
 * Usage: bench-seal [MiB per kind, default 1024 [KIND]]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/io.h"
#include "pack/frame.h"
#include "pack/pack.h"

#define PACK_BYTES (16u << 20)

/* Time of this core, not of the wall: others may be at work too. */
static int64_t cpu_ns(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return clock_ns(ts);
}

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void fill_incompressible(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8)
		put_le64(p + i, next_random());
}

/*
 * Slices of 512 x 512 samples of 16 bits: air outside a circle, inside it a
 * smooth anatomy with the noise of a scanner.
 */
static void fill_ct(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i + 2 <= n; i += 2) {
		long x = (long)(i / 2 % 512) - 256;
		long y = (long)(i / 1024 % 512) - 256;
		long v = 0;

		if (x * x + y * y < 200L * 200L)
			v = 1024 + (x * y / 512) + (long)(next_random() % 64);
		put_le16(p + i, (uint16_t)v);
	}
}

static void fill_text(uint8_t *p, size_t n)
{
	static const char text[] = "OBX|1|TX|findings||no acute change|||\r";
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)text[i % (sizeof(text) - 1)];
}

static int seal_one(struct pack_keyring *kr, const uint8_t *data, size_t *len)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(kr);
	const struct pack_member m = { .path = "x",
				       .path_len = 1,
				       .size = PACK_BYTES };
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *out;
	size_t at;
	int rc = w ? 0 : -errno;

	for (at = 0; rc == 0 && at < PACK_BYTES; at += PACK_FRAME_MAX)
		rc = pack_writer_frame(w, at, data + at, PACK_FRAME_MAX,
				       at + PACK_FRAME_MAX == PACK_BYTES, NULL);
	if (rc == 0)
		rc = pack_writer_member(w, &m);
	if (rc == 0)
		rc = pack_writer_seal(w, &out, len, digest);
	return rc;
}

static double mb_per_second(unsigned packs, int64_t ns)
{
	return (double)packs * PACK_BYTES * 1e3 / (double)ns;
}

static int bench_pack(struct pack_keyring *kr, const char *kind,
		      const uint8_t *data, unsigned packs)
{
	int64_t start = cpu_ns();
	size_t len = 0;
	unsigned i;
	int rc = 0;

	for (i = 0; i < packs && rc == 0; i++)
		rc = seal_one(kr, data, &len);
	if (rc == 0)
		printf("pack   %-16s %7.0f MB/s, stored %5.1f %%\n", kind,
		       mb_per_second(packs, cpu_ns() - start),
		       100.0 * (double)len / PACK_BYTES);
	return rc;
}

/* What bench_frames() and bench_open() seal and open under. */
static const struct pack_key fixed = { .key = { 1 } };

static int bench_frames(const char *kind, const uint8_t *data, unsigned packs)
{
	static uint8_t sealed[PACK_SEALED_MAX];
	CLEANUP(pack_sealer_free_guard)
	struct pack_sealer *s = pack_sealer_new(fixed.key);
	CLEANUP(pack_press_free_guard) struct pack_press *p = pack_press_new();
	uint32_t i, n = packs * (PACK_BYTES / PACK_FRAME_MAX);
	int64_t start = cpu_ns();
	int rc = s && p ? 0 : -ENOMEM;

	for (i = 0; i < n && rc == 0; i++) {
		size_t at = (size_t)i * PACK_FRAME_MAX % PACK_BYTES;
		struct pack_frame f = { .index = i,
					.plain_len = PACK_FRAME_MAX };

		rc = pack_frame_seal(s, p, &fixed.volume, &fixed.id, &f, true,
				     data + at, sealed);
	}
	if (rc == 0)
		printf("frames %-16s %7.0f MB/s\n", kind,
		       mb_per_second(packs, cpu_ns() - start));
	return rc;
}

/* Opens one frame again and again: the reader's share without any I/O. */
static int bench_open(const char *kind, const uint8_t *data, unsigned packs)
{
	static uint8_t sealed[PACK_SEALED_MAX];
	static uint8_t dst[PACK_FRAME_MAX], scratch[PACK_FRAME_MAX];
	CLEANUP(pack_sealer_free_guard)
	struct pack_sealer *s = pack_sealer_new(fixed.key);
	CLEANUP(pack_press_free_guard) struct pack_press *p = pack_press_new();
	struct pack_frame f = { .plain_len = PACK_FRAME_MAX };
	uint32_t i, n = packs * (PACK_BYTES / PACK_FRAME_MAX);
	int64_t start;
	int rc = s && p ? 0 : -ENOMEM;

	if (rc == 0)
		rc = pack_frame_seal(s, p, &fixed.volume, &fixed.id, &f, true,
				     data, sealed);
	start = cpu_ns();
	for (i = 0; i < n && rc == 0; i++)
		rc = pack_frame_open(&fixed, &f, true, sealed, dst, scratch);
	if (rc == 0)
		printf("open   %-16s %7.0f MB/s\n", kind,
		       mb_per_second(packs, cpu_ns() - start));
	return rc;
}

static int bench(struct pack_keyring *kr, uint8_t *data, unsigned packs,
		 const char *only)
{
	static const struct {
		const char *name;
		void (*fill)(uint8_t *p, size_t n);
	} kinds[] = {
		{ "incompressible", fill_incompressible },
		{ "ct", fill_ct },
		{ "text", fill_text },
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < ARRAY_SIZE(kinds) && rc == 0; i++) {
		if (only && strcmp(only, kinds[i].name) != 0)
			continue;
		kinds[i].fill(data, PACK_BYTES);
		rc = bench_pack(kr, kinds[i].name, data, packs);
		if (rc == 0)
			rc = bench_frames(kinds[i].name, data, packs);
		if (rc == 0)
			rc = bench_open(kinds[i].name, data, packs);
	}
	return rc;
}

int main(int argc, char **argv)
{
	const struct pack_volume_id volume = { .b = { 1 } };
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&volume);
	CLEANUP_FREE uint8_t *data = malloc(PACK_BYTES);
	CLEANUP_BUF struct buf text = { 0 };
	long mib = argc > 1 ? strtol(argv[1], NULL, 10) : 1024;
	struct pack_root root;
	int rc = -ENOMEM;

	if (mib < 16) {
		fprintf(stderr, "usage: bench-seal [MiB >= 16 [KIND]]\n");
		return 2;
	}
	if (kr && data)
		rc = pack_root_new(&root, &text);
	if (rc == 0)
		rc = pack_keyring_create(kr, &root, 1, &text);
	if (rc == 0)
		rc = bench(kr, data, (unsigned)(mib / 16),
			   argc > 2 ? argv[2] : NULL);
	if (rc < 0)
		fprintf(stderr, "bench-seal: %s\n", strerror(-rc));
	return rc < 0;
}
