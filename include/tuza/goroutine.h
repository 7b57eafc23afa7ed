// SPDX-License-Identifier: MIT
/*
 * Goroutines: starting, ending, waiting for and naming them, and the run of the whole program.
 *
 * A goroutine is a function that runs beside its caller on a small stack of its own; many of them
 * share a few threads. Blocking in a tuza call stops the goroutine, never the thread.
 *
 *	static void worker(int id, tuza_chan *jobs) { … }
 *
 *	static int program(void *arg)
 *	{
 *		tuza_chan *jobs = tuza_chan_new(sizeof(struct job), 16);
 *		TUZA_GO(worker, 1, jobs);
 *		…
 *		return 0;
 *	}
 *
 *	int main(void) { return tuza_run(program, NULL); }
 *
 * Between two tuza calls a goroutine may find itself on another thread: addresses of thread-local
 * variables do not survive a tuza call. No tuza call changes errno; see tuza/errno.h.
 */
#ifndef TUZA_GOROUTINE_H
#define TUZA_GOROUTINE_H

#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Runs `fn` as goroutine 1 and returns its value; the calling thread waits meanwhile.
 *
 *   fn   the program's main goroutine. Its stack is RLIMIT_STACK large (8 MiB if unlimited).
 *   arg  passed to fn.
 *
 * When fn returns, the goroutines that it left behind are dropped without running their defers, as
 * Go drops them: parked and runnable ones at once, running ones at their next tuza call that may
 * schedule, which is awaited for up to 1 s. The runtime's memory is returned. May be called again
 * afterwards. Plain threads may go on with everything meanwhile: what they start in the last moment
 * is dropped, or begins a runtime of its own, which goes on after the return; and so does the wait
 * of one for a timer.
 *
 * Errors   fatal when no memory or thread can be had to begin with.
 * Panics   "tuza_run: already running" when nested or called from two threads at once.
 * Blocks   the calling thread, until fn has returned and the runtime has ended.
 * Callable from  a plain thread.
 * Orders   everything before is visible to fn; everything fn did is visible after the return.
 * Go       func main()
 */
int tuza_run(int (*fn)(void *), void *arg);

/*
 * Ends a runtime that started by itself (a plain thread used `go` or a channel) and is idle.
 *
 * Returns  0, also when nothing ran; -EBUSY while goroutines live, while a plain thread waits that
 *          may wait for a timer, or inside tuza_run. A goroutine lives a moment longer than its
 *          last effect is seen.
 * Blocks   until the runtime's threads have ended.
 * Callable from  a plain thread; in a goroutine it returns -EBUSY.
 */
int tuza_shutdown(void);

/*
 * The go statement: starts f(args…) as a goroutine.
 *
 *   f     any function or function pointer; its result is discarded (results larger than 16 bytes
 *         are a compile error).
 *   args  up to 8 of scalar, pointer or small struct type; of a vector type or __int128 they are
 *         a compile error (in C++ any that can be copied). Evaluated now, once, converted and
 *         checked by the compiler as in a call. Arrays and literals pass their pointer. For a
 *         `long double` parameter pass a long double. What has a comma outside parentheses is put
 *         in parentheses: TUZA_GO(draw, ((struct point){1, 2})).
 *
 * Wrap a function that is declared noreturn in one that is not: compilers drop the code after such
 * a call, and here it returns.
 *
 * Errors   fatal "tuza: out of memory in a go statement" (tuza_go() returns a code instead). Fatal
 *          "go of nil func value" for a NULL f.
 * Panics   never.
 * Blocks   never.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Orders   everything before the statement is visible to the goroutine.
 * Go       go f(x, y)   (src/runtime/proc.go, newproc)
 */
#if defined(TUZA_VET_) // what tuza-vet reads instead
void tuza_vet_go_(void);
#define TUZA_GO(...) (tuza_vet_go_(), (void)TUZA_GO_CALL_(TUZA_GO_TYPED_, __VA_ARGS__))
#elif !defined(__cplusplus)
#define TUZA_GO(...)                                                                               \
	do {                                                                                       \
		_Static_assert(                                                                    \
			__extension__ sizeof(TUZA_GO_CALL_(TUZA_GO_TYPED_, __VA_ARGS__)) <= 16,    \
			"go: the function returns a struct larger than 16 bytes");                 \
		enum { tuza_go_bytes_ = TUZA_GO_STACK_(__VA_ARGS__) };                             \
		_Static_assert(tuza_go_bytes_ < TUZA_GO_ODD_,                                      \
			"go: an argument of a vector type or __int128; tuza_go_copy takes any");   \
		_Static_assert(                                                                    \
			tuza_go_bytes_ <= TUZA_GO_BYTES_MAX_ || tuza_go_bytes_ >= TUZA_GO_ODD_,    \
			TUZA_GO_TOO_LARGE_);                                                       \
		struct tuza_go_site tuza_go_site_ = {                                              \
			(void (*)(void))(TUZA_FIRST_(__VA_ARGS__)), tuza_go_bytes_};               \
		TUZA_DROP_RESULT_(__builtin_call_with_static_chain(                                \
			TUZA_GO_CALL_(TUZA_GO_CAPTURE_, __VA_ARGS__), (void *)&tuza_go_site_));    \
	} while (0)
#endif

/*
 * Starts fn(arg) as a goroutine.
 *
 * Returns  0, or -ENOMEM when no descriptor can be had.
 * Errors   fatal "go of nil func value".
 * Panics, Blocks, Callable from, Orders   as TUZA_GO.
 * Go       go fn(arg)
 */
int tuza_go(void (*fn)(void *), void *arg);

/*
 * Starts fn with a pointer to a copy of `args`: what a closure is in Go.
 *
 *   args   `bytes` bytes, copied now. May be NULL when bytes is 0.
 *
 * Returns  0, or -ENOMEM.
 * Errors, Panics, Blocks, Callable from, Orders   as tuza_go.
 * Owns     the copy is the goroutine's, aligned as malloc aligns, and freed when it ends.
 * Go       go func() { … }()
 */
int tuza_go_copy(void (*fn)(void *), const void *args, size_t bytes);

// Options of one goroutine; zeroed means the defaults.
typedef struct tuza_go_options {
	const char *name; // shown in dumps; copied. NULL: none
	// What its stack may grow to: 16 KiB to 1 GiB, rounded up to a power of two. 0: the
	// default, 256 KiB or what the environment's TUZA_STACK_BYTES says.
	size_t stack_bytes;
} tuza_go_options;

/*
 * Starts fn(arg) with options.
 *
 *   options  read now; NULL: the defaults.
 *
 * Returns  0, -ENOMEM, or -EINVAL for a stack size out of range.
 * Errors, Panics, Blocks, Callable from, Orders   as tuza_go.
 */
int tuza_go_with(const tuza_go_options *options, void (*fn)(void *), void *arg);

/*
 * A handle to a goroutine that tuza_spawn started. Exactly one of tuza_join and tuza_detach ends
 * it.
 */
typedef struct tuza_goroutine tuza_goroutine;

/*
 * Starts fn(arg) as a goroutine that can be waited for. A panic in it is contained and reported by
 * tuza_join.
 *
 * Returns  the handle; NULL when out of memory.
 * Errors   fatal "go of nil func value".
 * Blocks   never.
 * Callable from  any goroutine or thread.
 * Orders   everything before is visible to fn.
 * Owns/frees  tuza_join or tuza_detach.
 */
TUZA_MUST_USE tuza_goroutine *tuza_spawn(void (*fn)(void *), void *arg);

/*
 * Waits until the goroutine has ended and frees the handle.
 *
 * Returns  0 when its function returned, it called tuza_goexit, or was dropped with its tuza_run;
 *          TUZA_EPANIC when it panicked.
 * Panics   "tuza_join of a NULL handle", "tuza_join of the calling goroutine".
 * Blocks   parks the goroutine (blocks the thread, on a plain thread) until then.
 * Callable from  any goroutine or thread.
 * Orders   everything the goroutine did is visible after the return.
 */
int tuza_join(tuza_goroutine *h);

/*
 * Frees the handle without waiting; the goroutine keeps running. A later panic in it is fatal like
 * any other.
 *
 * Panics   "tuza_detach of a NULL handle".
 * Blocks   never.
 * Callable from  any goroutine or thread.
 */
void tuza_detach(tuza_goroutine *h);

/*
 * Lets others run: the caller goes to the tail of the global queue. On a plain thread: sched_yield.
 *
 * Blocks   until its turn comes again, which is at once if nobody else wants to run.
 * Orders   nothing.
 * Go       runtime.Gosched
 */
void tuza_yield(void);

/*
 * Ends the calling goroutine after running its defers. Not contained by tuza_try. In goroutine 1 it
 * ends only that goroutine: the others keep running, and once they have all ended that is a
 * deadlock.
 *
 * Panics   "tuza_goexit on a thread that is no goroutine" on a plain thread.
 * Go       runtime.Goexit
 */
TUZA_NORETURN_ void tuza_goexit(void);

// The number of goroutines alive: started and not ended. Go: runtime.NumGoroutine
size_t tuza_num_goroutine(void);

// The number of CPUs this process may use, by its affinity at start. Go: runtime.NumCPU
int tuza_num_cpu(void);

/*
 * Sets how many goroutines run at the same time.
 *
 *   n  the new number, 1 to 1024 (more counts as 1024); below 1 it is only queried.
 *
 * Returns  the number before. The default is TUZA_MAXPROCS from the environment, else the number of
 *          CPUs, the affinity or the cgroups' quota, whichever is least, as in Go 1.25.
 * Blocks   never: processors beyond a lower number retire when they next schedule.
 * Go       runtime.GOMAXPROCS
 */
int tuza_gomaxprocs(int n);

/*
 * Ties the calling goroutine to its thread, and the thread to it, until it has been unlocked as
 * often as locked. A thread ends with a goroutine that is still tied to it. On a plain thread both
 * do nothing; so does an unlock too many.
 *
 * Blocks   never.
 * Go       runtime.LockOSThread, runtime.UnlockOSThread
 */
void tuza_lock_os_thread(void);
void tuza_unlock_os_thread(void);

/*
 * Around a call that may block the thread (a file, a foreign library): the processor is handed to
 * others. Sections nest. Inside, the caller acts as a plain thread; a tuza call that would have to
 * wait panics. On a plain thread a section does nothing.
 *
 * Panics   tuza_blocking_end: "tuza_blocking_end without tuza_blocking_begin".
 * Blocks   tuza_blocking_begin never; tuza_blocking_end parks until a processor is free.
 * Go       entersyscall, exitsyscall
 */
void tuza_blocking_begin(void);
void tuza_blocking_end(void);

// Runs fn(arg) between tuza_blocking_begin and tuza_blocking_end, and blocks as these and fn do.
void tuza_blocking(void (*fn)(void *), void *arg);

// The goroutine's number: unique, never used again; the first is 1. A plain thread has one too.
uint64_t tuza_id(void);

/*
 * Names the calling goroutine in dumps (printf's format; cut at 63 bytes). Out of memory, it stays
 * without a name.
 */
void tuza_set_name(const char *format, ...) TUZA_PRINTF_(1, 2);

/*
 * Labels the calling goroutine, and those it starts from now on, in dumps and profiles.
 *
 *   key, value  strings, copied. A NULL value removes the label.
 *
 * Returns  0, or -ENOMEM.
 * Go       pprof.SetGoroutineLabels
 */
int tuza_set_label(const char *key, const char *value);

/*
 * Goroutine-local storage: one pointer per goroutine and key.
 */
typedef struct tuza_local tuza_local;

/*
 * A new key.
 *
 *   destructor  called with each non-NULL value when its goroutine ends, on that goroutine; NULL:
 *               nothing is called. Not for goroutines that the end of tuza_run drops; those of the
 *               main goroutine come before that end, and may wait. A panic that leaves it ends
 *               the process, also where the goroutine has a handle.
 *
 * Returns  the key; NULL when out of memory.
 * Owns/frees  tuza_local_free, which leaves the values that are still set to the program.
 */
TUZA_MUST_USE tuza_local *tuza_local_new(void (*destructor)(void *));
void tuza_local_free(tuza_local *key);

// The calling goroutine's value, NULL before the first set. Plain threads have values as well.
void *tuza_local_get(tuza_local *key);

// Sets the calling goroutine's value. Returns 0, or -ENOMEM.
int tuza_local_set(tuza_local *key, void *value);

// ---- how TUZA_GO works: private ------------------------------------------------------------

struct tuza_go_site {
	void (*fn)(void);
	uint32_t stack_bytes; // at least what the call passes on the stack
};

#ifndef __cplusplus
// The address of assembler that pretends to be f and stores the argument registers. A number in a
// variable, because compilers object to a call through another function's type, and lazy binding
// does not preserve the static chain.
extern const uintptr_t tuza_go_capture_;
#define TUZA_GO_CALL_(how, ...) TUZA_GO_CALL2_(how, TUZA_COUNT_(__VA_ARGS__), __VA_ARGS__)
#define TUZA_GO_CALL2_(how, n, ...) TUZA_CAT_(TUZA_GO_ARGS_, n)(how, __VA_ARGS__)
#define TUZA_GO_ARGS_0(how, f) how(f)()
#define TUZA_GO_ARGS_N_(how, f, ...) how(f)(__VA_ARGS__)
#define TUZA_GO_ARGS_1 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_2 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_3 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_4 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_5 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_6 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_7 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_8 TUZA_GO_ARGS_N_
#define TUZA_GO_ARGS_9(...)                                                                        \
	TUZA_GO_TAKES_8_ARGUMENTS_AT_MOST__SEE_tuza_go_copy // for compilers to say
#define TUZA_GO_TYPED_(f) (f)
#define TUZA_GO_CAPTURE_(f) ((__typeof__(&*(f)))tuza_go_capture_)

/*
 * How much may travel on the stack is an upper bound, a multiple of 16: what is copied too much is
 * not read. x86-64: long double and structs above 16 bytes travel there, and others when the
 * registers are used up. AArch64: 8 scalars never do. A struct takes up to four registers, and the
 * first that does not fit sends all that follow to the stack; above 16 bytes it would be passed as
 * the address of the caller's short-lived copy.
 */
#define TUZA_GO_SIZE_(x) sizeof(__extension__({ x; })) // as an argument: an array is a pointer
// What travels in ways that the capture does not know: vectors (classes -1 and, in newer compilers,
// above 17), integers of two words. Added to the weight, it shows in the sum.
#define TUZA_GO_ODD_ 0x1000000
#define TUZA_GO_IS_ODD_(x)                                                                         \
	(__builtin_classify_type(x) < 0 || __builtin_classify_type(x) > 17 ||                      \
		(__builtin_classify_type(x) == 1 && TUZA_GO_SIZE_(x) > 8))
#if defined(__aarch64__)
#define TUZA_GO_WEIGHT_(x)                                                                         \
	(TUZA_GO_IS_ODD_(x)             ? TUZA_GO_ODD_                                             \
		: TUZA_GO_SIZE_(x) > 16 ? 1000                                                     \
					: TUZA_GO_SIZE_(x) > 8 || __builtin_classify_type(x) > 8)
#define TUZA_GO_BYTES_(n, weight)                                                                  \
	((weight) >= TUZA_GO_ODD_  ? TUZA_GO_ODD_                                                  \
		: (weight) >= 1000 ? 1000                                                          \
		: (weight)         ? 16 * (n)                                                      \
				   : 0)
#define TUZA_GO_BYTES_MAX_ 128
#define TUZA_GO_TOO_LARGE_ "go: an argument larger than 16 bytes; tuza_go_copy takes any"
#else
#define TUZA_GO_WEIGHT_(x)                                                                         \
	(TUZA_GO_IS_ODD_(x)            ? TUZA_GO_ODD_                                              \
		: TUZA_GO_SIZE_(x) > 8 ? (TUZA_GO_SIZE_(x) + 15) & ~(size_t)15                     \
				       : 0)
#define TUZA_GO_BYTES_(n, weight) ((weight) + ((n) > 6 ? 16 * ((n)-6) : 0))
#define TUZA_GO_BYTES_MAX_ 4096
#define TUZA_GO_TOO_LARGE_ "go: arguments of more than 4096 bytes; tuza_go_copy takes any"
#endif
#define TUZA_GO_STACK_(...) TUZA_GO_STACK2_(TUZA_COUNT_(__VA_ARGS__), __VA_ARGS__)
#define TUZA_GO_STACK2_(n, ...) TUZA_GO_BYTES_(n, TUZA_CAT_(TUZA_GO_SUM_, n)(__VA_ARGS__))
#define TUZA_GO_SUM_0(f) 0
#define TUZA_GO_SUM_1(f, a) TUZA_GO_WEIGHT_(a)
#define TUZA_GO_SUM_2(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_1(f, __VA_ARGS__)
#define TUZA_GO_SUM_3(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_2(f, __VA_ARGS__)
#define TUZA_GO_SUM_4(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_3(f, __VA_ARGS__)
#define TUZA_GO_SUM_5(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_4(f, __VA_ARGS__)
#define TUZA_GO_SUM_6(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_5(f, __VA_ARGS__)
#define TUZA_GO_SUM_7(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_6(f, __VA_ARGS__)
#define TUZA_GO_SUM_8(f, a, ...) TUZA_GO_WEIGHT_(a) + TUZA_GO_SUM_7(f, __VA_ARGS__)
#define TUZA_GO_SUM_9(...) 0
#endif

#ifdef __cplusplus
}

#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

// Private: out of memory in a go statement.
extern "C" TUZA_NORETURN_ void tuza_go_out_of_memory_(void);

namespace tuza_detail {
template <typename F, typename... Args> struct go_closure {
	F f;
	std::tuple<std::decay_t<Args>...> args;
	static void run(void *self)
	{
		go_closure *closure = static_cast<go_closure *>(self);
		std::apply(closure->f, std::move(closure->args));
		delete closure;
	}
};
// Not named go: that may be a macro (tuza/go.h).
template <typename F, typename... Args> void go_statement(F f, Args &&...args)
{
	using closure = go_closure<F, Args...>;
	closure *c = new (std::nothrow) closure{f, {std::forward<Args>(args)...}};
	if (!c || tuza_go(closure::run, c) != 0)
		tuza_go_out_of_memory_();
}
} // namespace tuza_detail
#define TUZA_GO(...) ::tuza_detail::go_statement(__VA_ARGS__)
#endif

#endif
