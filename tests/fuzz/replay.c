/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer: over each seed in a directory, then
 * over N mutations of them (flipped bytes, cut, doubled, spliced), from a
 * fixed seed. Usage: replay CORPUS-DIR N
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLAY_SEEDS 256

static struct buf seed[REPLAY_SEEDS];
static size_t seeds;
static uint64_t rng = 88172645463325252ULL;

static uint64_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static int load_seeds(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d) {
		perror(dir);
		return -1;
	}
	while (seeds < REPLAY_SEEDS && (e = readdir(d)) != NULL) {
		CLEANUP_FREE char *path = io_path("%s/%s", dir, e->d_name);

		if (e->d_name[0] != '.' && path &&
		    io_read_file(path, 1 << 24, &seed[seeds]) == 0)
			seeds++;
	}
	closedir(d);
	return seeds ? 0 : -1;
}

static void mutate(struct buf *b)
{
	size_t n = 1 + next_random() % 8;

	while (n-- && b->len) {
		size_t at = next_random() % b->len;
		const struct buf *other = &seed[next_random() % seeds];

		switch (next_random() % 5) {
		case 0:
			b->data[at] ^= (uint8_t)(1U << next_random() % 8);
			break;
		case 1:
			b->data[at] = (uint8_t)next_random();
			break;
		case 2:
			b->len = at;
			break;
		case 3:
			memset(b->data + at, next_random() & 1 ? 0xff : 0,
			       MIN(b->len - at, (size_t)8));
			break;
		default:
			if (other->len)
				buf_add(b, other->data,
					next_random() % other->len);
		}
	}
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 0;
	size_t i;

	if (argc < 2 || load_seeds(argv[1]) < 0) {
		fprintf(stderr, "usage: %s CORPUS-DIR [N]; no seeds\n",
			argv[0]);
		return 1;
	}
	for (i = 0; i < seeds; i++)
		LLVMFuzzerTestOneInput(seed[i].data, seed[i].len);
	for (long k = 0; k < n; k++) {
		const struct buf *s = &seed[next_random() % seeds];
		CLEANUP_BUF struct buf b = { 0 };

		if (buf_add(&b, s->data, s->len) < 0)
			return 1;
		mutate(&b);
		LLVMFuzzerTestOneInput(b.data, b.len);
	}
	printf("%zu seeds, %ld mutations\n", seeds, n);
	for (i = 0; i < seeds; i++)
		buf_done(&seed[i]);
	return 0;
}
