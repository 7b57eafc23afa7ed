// SPDX-License-Identifier: MIT
/*
 * How the calls of tuza/sync.h are compiled: private, and part of it. The short ways of locks stand
 * here so that they are inlined.
 */
#ifndef TUZA_SYNC_INLINE_H
#define TUZA_SYNC_INLINE_H

#include <tuza/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- the short ways: private -------------------------------------------------------------------

/*
 * One atomic operation each at most, when nobody else is about; all else is the library's. The
 * words: src/sync/mutex_state.h, rwmutex_state.h and once_state.h.
 */
enum {
	TUZA_MUTEX_LOCKED_ = 1,
	TUZA_MUTEX_PARKED_ = 2,
	TUZA_MUTEX_WOKEN_ = 4,
	TUZA_MUTEX_CLOSED_ = 9, // to those who come: somebody has it, or has waited too long for it
	TUZA_MUTEX_KEPT_ = 8,   // no word, but an answer of tuza_mutex_leave_
	TUZA_MUTEX_WANTED_ = 7, // LOCKED alone: nobody waits for it, nor is on the way to it
	TUZA_ONCE_DONE_ = 1,
	TUZA_RWMUTEX_CLOSED_ = 3, // to readers: a writer has it, or somebody waits
	TUZA_RWMUTEX_BIASED_ = 8,
	TUZA_RWMUTEX_SLOTS_ = 16,
	TUZA_RWMUTEX_READER_ = 1 << 21,
	TUZA_RWMUTEX_QUIET_ = 32768, // so many read locks without a writer: it gets slots
};
#define TUZA_MUTEX_QUIET_ 0x80000000u
#ifndef TUZA_MUTEX_TICK_
#define TUZA_MUTEX_TICK_ 0x10000u // 32,768 of them make it quiet
#endif
void tuza_mutex_lock_slow_(tuza_mutex *m);
void tuza_mutex_unlock_slow_(tuza_mutex *m, uint32_t seen);
void tuza_rwmutex_rlock_shared_(tuza_rwmutex *rw);
void tuza_rwmutex_rlock_slow_(tuza_rwmutex *rw);
void tuza_rwmutex_runlock_shared_(tuza_rwmutex *rw);
void tuza_rwmutex_runlock_met_(tuza_rwmutex *rw);
void tuza_once_do_slow_(tuza_once *once, void (*fn)(void *), void *arg);

/*
 * Which stack the caller stands on, in 32 bits: enough to tell goroutines apart. Written into a
 * lock beside its word, by whoever has it, so it costs an ordinary store.
 */
#if defined(__x86_64__)
#define TUZA_SP_TO_(sp) __asm__("mov %%rsp, %0" : "=r"(sp))
#elif defined(__aarch64__)
#define TUZA_SP_TO_(sp) __asm__("mov %0, sp" : "=r"(sp))
#else
#define TUZA_SP_TO_(sp) ((sp) = 0)
#endif
#define TUZA_STACK_MARK_()                                                                         \
	__extension__({                                                                            \
		uintptr_t tuza_sp_;                                                                \
		TUZA_SP_TO_(tuza_sp_);                                                             \
		(uint32_t)(tuza_sp_ >> 12);                                                        \
	})

/*
 * (mutex-quiet) (reader-slots) Between two steps of whoever takes or gives back a lock without
 * locked instructions: the compiler keeps them in order. The CPU does so where it matters, since
 * the other side, a waiter or a writer, makes every thread pass a barrier.
 */
#ifndef TUZA_STEP_
#define TUZA_STEP_() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#endif

// How many waiters unlocks of quiet mutexes have to look out for; one more where they cannot make
// threads pass a barrier.
extern uint32_t tuza_mutex_alarms_;

// Takes a mutex that nobody holds, past those who wait unless one starves. It is counted how often,
// until the mutex is quiet.
TUZA_PART_INLINE_ bool tuza_mutex_take_(uint32_t *state)
{
	uint32_t seen = __atomic_load_n(state, __ATOMIC_RELAXED);
	uint32_t tick = (~seen >> 31) * TUZA_MUTEX_TICK_;

	// (mutex) pairs with tuza_mutex_leave_
	return TUZA_LIKELY_(!(seen & TUZA_MUTEX_CLOSED_)) &&
	       TUZA_LIKELY_(
		       __atomic_compare_exchange_n(state, &seen, seen + tick + TUZA_MUTEX_LOCKED_,
			       false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}

// Gives it back, whoever waits: the last touch. Returns what the word was.
TUZA_PART_INLINE_ uint32_t tuza_mutex_leave_parked_(uint32_t *state)
{
	// (mutex) pairs with tuza_mutex_take_
	return __atomic_fetch_sub(state, (uint32_t)TUZA_MUTEX_LOCKED_, __ATOMIC_RELEASE);
}

// Gives it back: the last touch. Returns what the word was, with PARKED also where a waiter may
// have come that was not seen in it. KEPT: it is still the caller's, since somebody waits.
TUZA_PART_INLINE_ uint32_t tuza_mutex_leave_(uint32_t *state)
{
	uint32_t seen = __atomic_load_n(state, __ATOMIC_RELAXED); // by whoever holds it

	if (TUZA_LIKELY_(seen == (TUZA_MUTEX_QUIET_ | TUZA_MUTEX_LOCKED_) &&
			 __atomic_load_n(&tuza_mutex_alarms_, __ATOMIC_RELAXED) == 0)) {
		TUZA_STEP_(); // (mutex-quiet) a waiter may come now
		__atomic_store_n(state, TUZA_MUTEX_QUIET_, __ATOMIC_RELEASE); // (mutex)
		TUZA_STEP_();                                                 // (mutex-quiet)
		return __atomic_load_n(&tuza_mutex_alarms_, __ATOMIC_RELAXED)
			       ? TUZA_MUTEX_LOCKED_ | TUZA_MUTEX_PARKED_
			       : TUZA_MUTEX_LOCKED_;
	}
	if (!TUZA_LIKELY_(!(seen & TUZA_MUTEX_PARKED_)))
		return TUZA_MUTEX_KEPT_;
	return tuza_mutex_leave_parked_(state);
}

/*
 * Where the goroutines on a thread stand as readers of locks that have slots, instead of being
 * counted in the lock. src/sync/reader_slots.h says how that works, and why so few instructions
 * are enough: ordinary stores, by this thread alone.
 */
enum { TUZA_READER_SLOTS_ = 8 };
struct tuza_reader_line_ {
	uint64_t entries[TUZA_READER_SLOTS_]; // 0: free
	uint64_t told;                        // what writers told this thread
	uint64_t taken;                       // it is some thread's; the library's
} __attribute__((aligned(128)));
extern __thread struct tuza_reader_line_ *tuza_reader_line_;
bool tuza_reader_undo_(struct tuza_reader_line_ *line, uint32_t slot);
bool tuza_reader_is_out_(struct tuza_reader_line_ *line, uint32_t slot);

/*
 * The calling thread's, or one that nobody can enter. By hand: a compiler may keep the address of a
 * thread's variable over a call after which the goroutine is on another thread.
 */
#ifndef TUZA_READER_LINE_TO_
#if defined(__x86_64__)
#define TUZA_READER_LINE_TO_(line)                                                                 \
	__asm__ volatile("movq tuza_reader_line_@gottpoff(%%rip), %0\n\t"                          \
			 "movq %%fs:(%0), %0"                                                      \
			 : "=r"(line)                                                              \
			 :                                                                         \
			 : "memory")
#elif defined(__aarch64__)
#define TUZA_READER_LINE_TO_(line)                                                                 \
	do {                                                                                       \
		uintptr_t tuza_tp_;                                                                \
		__asm__ volatile("adrp %0, :gottprel:tuza_reader_line_\n\t"                        \
				 "ldr %0, [%0, :gottprel_lo12:tuza_reader_line_]\n\t"              \
				 "mrs %1, tpidr_el0\n\t"                                           \
				 "ldr %0, [%1, %0]"                                                \
				 : "=&r"(line), "=&r"(tuza_tp_)                                    \
				 :                                                                 \
				 : "memory");                                                      \
	} while (0)
#else
#define TUZA_READER_LINE_TO_(line) ((line) = tuza_reader_line_)
#endif
#endif

TUZA_PART_INLINE_ uint32_t tuza_reader_slot_(const uint64_t *state)
{
	return (uint32_t)((uintptr_t)state >> 4 ^ (uintptr_t)state >> 7) % TUZA_READER_SLOTS_;
}

/*
 * What stands for a reader of the lock whose word was `seen`: its address, 48 bits in programs, and
 * above it the era. Where both meet there are flags, which are the same in all entries.
 */
TUZA_PART_INLINE_ uint64_t tuza_reader_entry_(const uint64_t *state, uint64_t seen)
{
	return (seen << 43) + (uintptr_t)state;
}

// Takes a read lock; `seen` has BIASED. False: it has to be taken by counting.
TUZA_PART_INLINE_ bool tuza_reader_enter_(const uint64_t *state, uint64_t seen)
{
	struct tuza_reader_line_ *line;
	uint32_t slot = tuza_reader_slot_(state);

	TUZA_READER_LINE_TO_(line);
	if (!TUZA_LIKELY_(__atomic_load_n(&line->entries[slot], __ATOMIC_RELAXED) == 0))
		return false;
	TUZA_STEP_(); // (reader-slots) it may be free because its reader was moved just now
	if (!TUZA_LIKELY_(__atomic_load_n(&line->told, __ATOMIC_RELAXED) == 0))
		return false;
	TUZA_STEP_();
	__atomic_store_n(&line->entries[slot], tuza_reader_entry_(state, seen), __ATOMIC_RELAXED);
	TUZA_STEP_(); // (reader-slots)
	// (reader-slots) (rwmutex) the same flags and the same era: no writer has begun to look
	if (TUZA_LIKELY_(
		    (__atomic_load_n(state, __ATOMIC_ACQUIRE) ^ seen) % TUZA_RWMUTEX_READER_ == 0))
		return true;
	return tuza_reader_undo_(line, slot);
}

// Ends a read lock that was taken in a slot of this thread: its last touch then. False: the caller
// is counted.
TUZA_PART_INLINE_ bool tuza_reader_leave_(const uint64_t *state, uint64_t seen)
{
	struct tuza_reader_line_ *line;
	uint32_t slot = tuza_reader_slot_(state);

	TUZA_READER_LINE_TO_(line);
	if (!TUZA_LIKELY_(__atomic_load_n(&line->entries[slot], __ATOMIC_RELAXED) ==
			  tuza_reader_entry_(state, seen)))
		return false;
	TUZA_STEP_();
	__atomic_store_n(&line->entries[slot], 0, __ATOMIC_RELEASE);            // (rwmutex-slots)
	TUZA_STEP_();                                                           // (reader-slots)
	return TUZA_LIKELY_(!__atomic_load_n(&line->told, __ATOMIC_RELAXED)) || // (reader-slots)
	       tuza_reader_is_out_(line, slot);
}

#ifndef TUZA_LIBRARY_
TUZA_INLINE_ void tuza_mutex_lock(tuza_mutex *m) TUZA_TSA_(no_thread_safety_analysis)
{
	if (!TUZA_LIKELY_(tuza_mutex_take_(&m->state)))
		tuza_mutex_lock_slow_(m);
	else
		__atomic_store_n(&m->holder, TUZA_STACK_MARK_(), __ATOMIC_RELAXED);
}

TUZA_INLINE_ void tuza_mutex_unlock(tuza_mutex *m) TUZA_TSA_(no_thread_safety_analysis)
{
	__atomic_store_n(&m->holder, 0, __ATOMIC_RELAXED);
	uint32_t seen = tuza_mutex_leave_(&m->state);
	if (!TUZA_LIKELY_((seen & TUZA_MUTEX_WANTED_) == TUZA_MUTEX_LOCKED_))
		tuza_mutex_unlock_slow_(m, seen);
}

// The detector of races knows the library's slots, not these.
#if defined(__SANITIZE_THREAD__)
#define TUZA_READS_IN_SLOTS_ 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TUZA_READS_IN_SLOTS_ 0
#endif
#endif
#ifndef TUZA_READS_IN_SLOTS_
#define TUZA_READS_IN_SLOTS_ 1
#endif

// Both look first: a word that several read stays in all their caches.

TUZA_INLINE_ void tuza_rwmutex_rlock(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	uint64_t seen = __atomic_load_n(&rw->state, __ATOMIC_RELAXED);
	uint32_t reads;

	if (TUZA_READS_IN_SLOTS_ && (seen & TUZA_RWMUTEX_BIASED_) &&
		TUZA_LIKELY_(tuza_reader_enter_(&rw->state, seen)))
		return;
	// Some may be overlooked: it is about how many.
	reads = __atomic_load_n(&rw->reads, __ATOMIC_RELAXED);
	if (!TUZA_LIKELY_(seen == 0 && reads < TUZA_RWMUTEX_QUIET_)) {
		tuza_rwmutex_rlock_shared_(rw);
		return;
	}
	__atomic_store_n(&rw->reads, (uint16_t)(reads + 1), __ATOMIC_RELAXED);
	// (rwmutex) pairs with a writer's unlock
	seen = __atomic_fetch_add(&rw->state, (uint64_t)TUZA_RWMUTEX_READER_, __ATOMIC_ACQUIRE);
	if (!TUZA_LIKELY_(!(seen & TUZA_RWMUTEX_CLOSED_)))
		tuza_rwmutex_rlock_slow_(rw);
}

TUZA_INLINE_ void tuza_rwmutex_runlock(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	uint64_t seen = __atomic_load_n(&rw->state, __ATOMIC_RELAXED);

	if (TUZA_READS_IN_SLOTS_ && (seen & TUZA_RWMUTEX_SLOTS_) &&
		TUZA_LIKELY_(tuza_reader_leave_(&rw->state, seen)))
		return;
	if (!TUZA_LIKELY_(seen == TUZA_RWMUTEX_READER_))
		tuza_rwmutex_runlock_shared_(rw);
	// (rwmutex-readers) pairs with a writer's lock
	else if (!TUZA_LIKELY_(__atomic_sub_fetch(&rw->state, (uint64_t)TUZA_RWMUTEX_READER_,
				       __ATOMIC_RELEASE) == 0))
		tuza_rwmutex_runlock_met_(rw);
}

TUZA_INLINE_ void tuza_once_do(tuza_once *once, void (*fn)(void *), void *arg)
{
	// (once) pairs with the end of the first call
	if (!TUZA_LIKELY_(__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) == TUZA_ONCE_DONE_))
		tuza_once_do_slow_(once, fn, arg);
}
#endif

/*
 * For TUZA_DEBUG=lockorder: what lock calls are in programs compiled without optimisation, or with
 * -DTUZA_WATCH_LOCKS=1; not with -DTUZA_WATCH_LOCKS=0.
 */
void tuza_mutex_lock_watched_(tuza_mutex *m) TUZA_TSA_(acquire_capability(m));
bool tuza_mutex_try_lock_watched_(tuza_mutex *m) TUZA_TSA_(try_acquire_capability(true, m));
void tuza_mutex_unlock_watched_(tuza_mutex *m) TUZA_TSA_(release_capability(m));
void tuza_mutex_unlock_leaving_(tuza_mutex *m, uint32_t number) TUZA_TSA_(release_capability(m));
void tuza_rwmutex_lock_watched_(tuza_rwmutex *rw) TUZA_TSA_(acquire_capability(rw));
bool tuza_rwmutex_try_lock_watched_(tuza_rwmutex *rw) TUZA_TSA_(try_acquire_capability(true, rw));
void tuza_rwmutex_unlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(release_capability(rw));
void tuza_rwmutex_rlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(acquire_shared_capability(rw));
bool tuza_rwmutex_try_rlock_watched_(tuza_rwmutex *rw)
	TUZA_TSA_(try_acquire_shared_capability(true, rw));
void tuza_rwmutex_runlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(release_shared_capability(rw));

#ifndef TUZA_WATCH_LOCKS
#if defined(__OPTIMIZE__) || defined(TUZA_LIBRARY_)
#define TUZA_WATCH_LOCKS 0
#else
#define TUZA_WATCH_LOCKS 1
#endif
#endif
#if TUZA_WATCH_LOCKS
#define tuza_mutex_lock tuza_mutex_lock_watched_
#define tuza_mutex_try_lock tuza_mutex_try_lock_watched_
#define tuza_mutex_unlock tuza_mutex_unlock_watched_
#define tuza_rwmutex_lock tuza_rwmutex_lock_watched_
#define tuza_rwmutex_try_lock tuza_rwmutex_try_lock_watched_
#define tuza_rwmutex_unlock tuza_rwmutex_unlock_watched_
#define tuza_rwmutex_rlock tuza_rwmutex_rlock_watched_
#define tuza_rwmutex_try_rlock tuza_rwmutex_try_rlock_watched_
#define tuza_rwmutex_runlock tuza_rwmutex_runlock_watched_
#endif

// ---- how TUZA_LOCK works: private --------------------------------------------------------------

// Clang's analysis cannot follow a cleanup: it is told that the mutex is held, and asks for no
// unlock.
static inline tuza_mutex *tuza_mutex_lock_block_(tuza_mutex *m) TUZA_TSA_(assert_capability(m))
	TUZA_TSA_(no_thread_safety_analysis);
static inline tuza_mutex *tuza_mutex_lock_block_(tuza_mutex *m)
{
	tuza_mutex_lock(m);
	return m;
}
static inline void tuza_mutex_unlock_block_(tuza_mutex *m) TUZA_TSA_(no_thread_safety_analysis);
static inline void tuza_mutex_unlock_block_(tuza_mutex *m) { tuza_mutex_unlock(m); }

#define TUZA_LOCK2_(name, ...)                                                                     \
	tuza_mutex *name = tuza_mutex_lock_block_((__VA_ARGS__));                                  \
	TUZA_DEFER(tuza_mutex_unlock_block_, name)

#ifdef __cplusplus
}
#endif
#endif
