// SPDX-License-Identifier: MIT
/*
 * Between all steps that others can see the code of a model gives the CPU away now and then: what
 * must not happen between two of them would take days to happen by itself. Comes before the code.
 */
#ifndef TUZA_MODEL_STEPS_H
#define TUZA_MODEL_STEPS_H

#include "parking.h"

#ifndef MODEL_CHECKER

#undef load_relaxed
#undef load_acquire
#undef load_seq_cst
#define load_relaxed(p) (model_pause(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define load_acquire(p) (model_pause(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define load_seq_cst(p) (model_pause(), __atomic_load_n((p), __ATOMIC_SEQ_CST))

#undef store_relaxed
#undef store_release
#undef store_seq_cst
#define store_relaxed(p, v) (model_pause(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define store_release(p, v) (model_pause(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define store_seq_cst(p, v) (model_pause(), __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))

#endif
#endif
