// SPDX-License-Identifier: MIT
/*
 * Claim: (idle-wake) as many machines are counted as lookers as look, whoever hands a machine a
 * processor while it goes to sleep. One that is counted and does not look would be for good: nobody
 * would be woken any more. One that looks and is not counted would be taken off another's count.
 *
 * The machine says that it looks no more, puts itself among the sleeping ones under the lock, and
 * takes itself off the count when it has left that. In between others find it: who left work
 * behind for a blocking section hands it a processor that has some, who wakes for new work makes
 * it a looker, and it may find by itself that there is work.
 */
#include "parking.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // as rt.lock
static uint32_t spinning;                                // as runtime.spinning

// As struct machine. Of the machine's thread unless it is listed; then guarded by the lock.
static struct {
	bool looks;
	bool is_listed;
	bool is_handed;
} machine;

static uint32_t work; // atomic: there is some in a queue

// As idle_hand_processor; false: it sleeps no more.
static bool hand(bool looks)
{
	pthread_mutex_lock(&lock);
	bool is_listed = machine.is_listed;
	if (is_listed) {
		machine.is_listed = false;
		machine.looks = looks;
		machine.is_handed = true;
	}
	pthread_mutex_unlock(&lock);
	return is_listed;
}

// As the end of idle_find.
static void *goes_to_sleep(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	bool looked = machine.looks;
	machine.looks = false;
	machine.is_listed = true;
	pthread_mutex_unlock(&lock);
	model_pause();
	if (!looked)
		return NULL;
	sub_seq_cst(&spinning, 1); // (idle-wake) as idle_find
	if (load_seq_cst(&work) == 0)
		return NULL;
	model_pause();
	pthread_mutex_lock(&lock);
	bool goes_on = machine.is_listed; // as machine_unidle
	machine.is_listed = false;
	pthread_mutex_unlock(&lock);
	if (goes_on) {
		machine.looks = true;
		add_seq_cst(&spinning, 1); // (idle-wake) as idle_find
	}
	return NULL;
}

// As processor_hand_off with something in its ring.
static void *leaves_work_behind(void *arg)
{
	(void)arg;
	model_pause();
	(void)hand(false);
	return NULL;
}

// As idle_wake.
static void *wakes(void *arg)
{
	uint32_t none = 0;

	(void)arg;
	store_seq_cst(&work, 1); // (idle-wake) as runq_put_next
	model_pause();
	if (load_seq_cst(&spinning) != 0 || !cas_seq_cst(&spinning, &none, 1))
		return NULL;
	model_pause();
	if (!hand(true))
		sub_seq_cst(&spinning, 1); // (idle-wake) as idle_wake, which finds no processor
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[] = {goes_to_sleep, leaves_work_behind, wakes};

	spinning = 1;
	work = 0;
	machine.looks = true;
	machine.is_listed = machine.is_handed = false;
	model_run(threads, COUNT_OF(threads));
	assert(spinning == (machine.looks ? 1 : 0));
	assert(!(machine.is_listed && machine.is_handed));
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
