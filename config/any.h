/* SPDX-License-Identifier: Apache-2.0 */
/* Maps whose keys the file chooses: exchange rates, credentials. */
#ifndef MERSEY_CONFIG_ANY_H
#define MERSEY_CONFIG_ANY_H

#include "config/keys.h"

/* <CUR>: rate; fills struct price_exchange. */
extern const struct config_any config_any_rate;
/* <store>: file; fills struct config_trust. */
extern const struct config_any config_any_credential;

#endif
