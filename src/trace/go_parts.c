// SPDX-License-Identifier: MIT
// Batches, stacks and names of a trace in Go's formats, see go_parts.h.
#include "trace/go_parts.h"

#include "sys/sys.h"
#include "trace/stack.h"

#include <errno.h>

enum { HEADER_BYTES = 16 };

bool go_parts_begin(
	struct go_parts *p, struct history *h, int fd, const char *header, uint32_t batches)
{
	*p = (struct go_parts){.out.fd = fd, .history = h, .stack_count = stack_count()};
	int error = names_begin(&p->names);

	p->batch_count = batches;
	p->batches = sys_pages_alloc(batches * sizeof(*p->batches));
	p->is_used = sys_pages_alloc(p->stack_count + 1);
	if (error || !p->batches || !p->is_used) {
		p->out.error = -ENOMEM;
		return false;
	}
	output_bytes(&p->out, header, HEADER_BYTES);
	return true;
}

uint32_t go_parts_stack(struct go_parts *p, uint32_t stack)
{
	if (stack >= p->stack_count)
		stack = 0;
	p->is_used[stack] = 1;
	return stack;
}

int go_parts_end(struct go_parts *p)
{
	for (uint32_t i = 0; p->batches && i < p->batch_count; i++) {
		if (p->batches[i].piece.failed)
			p->out.error = -ENOMEM;
		piece_free(&p->batches[i].piece);
	}
	if (p->batches)
		sys_pages_free(p->batches, p->batch_count * sizeof(*p->batches));
	if (p->is_used)
		sys_pages_free(p->is_used, p->stack_count + 1);
	names_end(&p->names);
	piece_free(&p->texts);
	return p->out.error;
}
