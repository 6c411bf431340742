/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names may look like. Each returns NULL, or what is wrong, as "must …";
 * the regular expression beside it says the same to JSON Schema.
 */
#ifndef MERSEY_CONFIG_SHAPE_H
#define MERSEY_CONFIG_SHAPE_H

/* A trust: names a socket, directories and (by default) an account. */
#define CONFIG_TRUST_PATTERN "^[a-z][a-z0-9-]{0,15}$"
const char *config_shape_trust(const char *s);

/* A store, tier or price table. */
#define CONFIG_NAME_PATTERN "^[a-z0-9][a-z0-9._-]{0,62}$"
const char *config_shape_name(const char *s);

/* A user or group: a name, or a number. */
#define CONFIG_ACCOUNT_PATTERN "^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$"
const char *config_shape_account(const char *s);

/* A bucket, by the naming rules of S3. */
#define CONFIG_BUCKET_PATTERN "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
const char *config_shape_bucket(const char *s);

/* "" or parts that each end with '/'. */
#define CONFIG_PREFIX_PATTERN "^([A-Za-z0-9_.-]+/)*$"
const char *config_shape_prefix(const char *s);

/* Scheme, host and perhaps a port; nothing behind them. */
#define CONFIG_ENDPOINT_PATTERN "^https?://[^/?#@]+$"
const char *config_shape_endpoint(const char *s);

/* A region of S3, as it is signed. */
#define CONFIG_REGION_PATTERN "^[A-Za-z0-9-]{1,63}$"
const char *config_shape_region(const char *s);

/* ISO 4217. */
#define CONFIG_CURRENCY_PATTERN "^[A-Z]{3}$"
const char *config_shape_currency(const char *s);

/* A systemd credential: a file name. */
#define CONFIG_CREDENTIAL_PATTERN "^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$"
const char *config_shape_credential(const char *s);

/* A profile of a shared-credentials file. */
#define CONFIG_PROFILE_PATTERN "^[A-Za-z0-9_][A-Za-z0-9_.@/+-]{0,63}$"
const char *config_shape_profile(const char *s);

/* A storage class. */
#define CONFIG_CLASS_PATTERN "^[A-Z][A-Z0-9_]{0,30}$"
const char *config_shape_class(const char *s);

/* A glob over whole paths. */
#define CONFIG_GLOB_PATTERN "^(/|[*][*])"
const char *config_shape_glob(const char *s);

/* A DICOM modality (CS). */
#define CONFIG_MODALITY_PATTERN "^[A-Z0-9_]{1,16}$"
const char *config_shape_modality(const char *s);

/* "user.name" or "user.name=value" */
#define CONFIG_XATTR_PATTERN "^user[.][^=]+"
const char *config_shape_xattr(const char *s);

/* Words for people: not empty, at most 200 bytes. */
const char *config_shape_words(const char *s);

#endif
