/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's callbacks: they send a request's body and take its answer. */
#ifndef MERSEY_STORE_S3_ANSWER_H
#define MERSEY_STORE_S3_ANSWER_H

#include "store/s3/request.h"

/* All run in the transfer thread; `arg` is the request. */
int s3_on_request(void *arg, char *remote_ip, char *local_ip, int remote_port,
		  int local_port);
size_t s3_on_read(char *p, size_t size, size_t n, void *arg);
int s3_on_seek(void *arg, curl_off_t off, int origin);
size_t s3_on_header(char *p, size_t size, size_t n, void *arg);
size_t s3_on_body(char *p, size_t size, size_t n, void *arg);

/* Reads the value of x-amz-restore; the last quote may be missing. */
void s3_restore_parse(const char *value, struct s3_restore *out);

/* Is this exactly what there is of [off, off+len)? */
bool s3_answer_is_range(const struct s3_answer *a, uint64_t off, size_t len);
/* What a HEAD says of an object; *a has its length. */
void s3_answer_info(const struct s3_answer *a, struct store_info *out);

#endif
