/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of fuzz_dicom into a directory. Usage: seed-dicom DIR */
#include <stdio.h>

#include "tests/dicom.h"

static const struct dcm_image image = {
	.study = "1.2.826.0.1.3680043.8.498.7",
	.series = "1.2.826.0.1.3680043.8.498.7.2",
	.number = "42",
	.bytes = 16,
};

static void add_sequence(struct dcm *d, uint32_t tag, const char *vr)
{
	bool implicit = d->implicit;

	dcm_head(d, tag, vr, DCM_UNDEFINED);
	d->implicit = implicit || strcmp(vr, "UN") == 0;
	dcm_head(d, 0xfffee000, NULL, DCM_UNDEFINED);
	dcm_text(d, 0x0020000d, "UI", "9.9");
	dcm_head(d, 0x00081110, "SQ", 0);
	dcm_head(d, 0xfffee00d, NULL, 0);
	dcm_head(d, 0xfffee000, NULL, 4);
	dcm_zero(d, 4);
	dcm_head(d, 0xfffee0dd, NULL, 0);
	d->implicit = implicit;
}

static void data_set(struct dcm *d, bool sequences)
{
	if (sequences) {
		add_sequence(d, 0x00080006, "SQ");
		add_sequence(d, 0x00080007, "UN");
	}
	dcm_elements(d, &image);
	dcm_pixels(d, image.bytes);
}

/* The fuzz target's first byte comes before the file. */
static int write_seed(const char *dir, const char *name, struct dcm *d)
{
	char path[4096];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		return 1;
	}
	ok = fputc(0, f) == 0 && fwrite(d->b.data, d->b.len, 1, f) == 1;
	ok = fclose(f) == 0 && ok;
	dcm_done(d);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name, *syntax;
	} syntax[] = {
		{ "implicit", DCM_IMPLICIT },	  { "explicit", DCM_EXPLICIT },
		{ "big-endian", DCM_BIG_ENDIAN }, { "jpeg2000", DCM_JPEG2000 },
		{ "deflated", DCM_DEFLATED },
	};
	int rc = 0;
	size_t i;

	if (argc != 2)
		return 2;
	for (i = 0; i < ARRAY_SIZE(syntax); i++) {
		struct dcm d = { 0 };

		dcm_begin(&d, syntax[i].syntax);
		data_set(&d, i > 0);
		rc |= write_seed(argv[1], syntax[i].name, &d);
	}
	for (i = 0; i < 4; i++) {
		struct dcm d = { .implicit = i & 1, .big = i & 2 };
		char name[16];

		data_set(&d, i == 0);
		snprintf(name, sizeof(name), "bare-%zu", i);
		rc |= write_seed(argv[1], name, &d);
	}
	return rc;
}
