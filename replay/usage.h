/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_USAGE_H
#define SPHT_USAGE_H

/* What spht-replay --help prints. */
extern const char spht_replay_usage[];

#endif
