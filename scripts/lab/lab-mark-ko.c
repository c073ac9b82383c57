// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The guest's kernel half of lab-mark.c: what is written to
 * /sys/module/lab_mark/parameters/value is stored to the I/O port, 32 bits wide.  User
 * space cannot do it itself in the emulated lab: QEMU's TCG refuses every port to user mode
 * once KVM has loaded a busy TSS descriptor, as it does.
 */
#include <linux/io.h>
#include <linux/module.h>

#define PORT 0x5f0

static int set_value(const char *text, const struct kernel_param *kp)
{
	unsigned int value;
	int rc = kstrtouint(text, 0, &value);

	if (!rc)
		outl(value, PORT);
	return rc;
}

static const struct kernel_param_ops value_ops = {.set = set_value};

module_param_cb(value, &value_ops, NULL, 0200);
MODULE_DESCRIPTION("spht lab: marks in a recording");
MODULE_LICENSE("GPL");
