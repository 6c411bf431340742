/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as the config means them. By text only: nothing is looked up. */
#ifndef MERSEY_CONFIG_PATH_H
#define MERSEY_CONFIG_PATH_H

#include <stdbool.h>

/*
 * `path`, if relative seen from the absolute `dir`; without "//", "/./" and a
 * "/" at the end, ".." resolved by text. Newly allocated; NULL without memory.
 */
char *config_path_join(const char *dir, const char *path);

/* The absolute directory of a file; newly allocated, NULL without memory. */
char *config_path_dir(const char *file);

/* Is `inner` a path below `outer`? Equal paths are not. */
bool config_path_below(const char *inner, const char *outer);

#endif
