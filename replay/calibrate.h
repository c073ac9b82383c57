/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_REPLAY_CALIBRATE_H
#define SPHT_REPLAY_CALIBRATE_H

/*
 * Becomes spht-calibrate, which lies beside this program and writes a cost profile to
 * @out ("-": standard output).  A program of its own: measuring takes KVM and AVX2,
 * replaying neither.  Returns only where it cannot, after a message.
 */
void spht_calibrate(const char *out);

#endif
