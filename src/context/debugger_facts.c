// SPDX-License-Identifier: MIT
/*
 * The facts of contexts for debuggers.
 */
#include "base/debugger_facts.h"

#include "context/context.h"

EXPORT const struct tuza_debugger_fact_ tuza_debugger_context_[] = {
	FACT_OFFSET(tuza_context, kind),
	FACT_OFFSET(tuza_context, references),
	FACT_OFFSET(tuza_context, parent),
	FACT_OFFSET(tuza_context, canceller),
	FACT_OFFSET(tuza_context, deadline),
	FACT_OFFSET(tuza_context, created_at),
	FACT_OFFSET(tuza_context, creator_id),
	FACT_OFFSET(canceller, context),
	FACT_OFFSET(canceller, error),
	FACT_OFFSET(canceller, cause),
	FACT("context_kind.background", CONTEXT_BACKGROUND),
	FACT("context_kind.todo", CONTEXT_TODO),
	FACT("context_kind.value", CONTEXT_VALUE),
	FACT("context_kind.without cancel", CONTEXT_WITHOUT_CANCEL),
	FACT("context_kind.cancel", CONTEXT_CANCEL),
	FACT("context_kind.deadline", CONTEXT_DEADLINE),
	FACT("context_ending", CONTEXT_ENDING),
	FACTS_END,
};
