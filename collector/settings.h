/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SETTINGS_H
#define SPHT_SETTINGS_H

#include <jansson.h>

#include "spht_error.h"

/*
 * What the user knows about a recording and its source does not: --set
 * guest.vcpus=1 puts {"guest": {"vcpus": 1}} into the header.
 */

/* Adds KEY=VALUE to the object @settings; -1 with @err set when it makes no sense. */
int spht_settings_add(json_t *settings, const char *text, struct spht_error *err);
/*
 * Puts @settings into @header, over what is there, and takes what they tell
 * out of its list "missing".  -1 without memory.
 */
int spht_settings_apply(json_t *header, const json_t *settings);

#endif
