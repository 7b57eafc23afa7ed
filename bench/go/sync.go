// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"sync"
)

// How many goroutines contend.
const contenders = 8

var syncWorkloads = []workload{
	{name: "mutex-1", operation: "lock and unlock, one goroutine",
		run: func(n int) int { return contend(1, n, mutexTurns) }},
	{name: "mutex-8", operation: "lock and unlock, 8 goroutines",
		run: func(n int) int { return contend(contenders, n, mutexTurns) }},
	{name: "rwmutex-read-1", operation: "read lock and unlock, one goroutine",
		run: func(n int) int { return contend(1, n, rwmutexTurns) }},
	{name: "rwmutex-read-8", operation: "read lock and unlock, 8 goroutines",
		run: func(n int) int { return contend(contenders, n, rwmutexTurns) }},
	{name: "waitgroup-1", operation: "add and done, one goroutine",
		run: func(n int) int { return contend(1, n, waitgroupTurns) }},
	{name: "waitgroup-8", operation: "add and done, 8 goroutines",
		run: func(n int) int { return contend(contenders, n, waitgroupTurns) }},
	{name: "semaphore-1", operation: "acquire and release 1 of 4, one goroutine",
		run: func(n int) int { return contend(1, n, semaphoreTurns) }},
	{name: "semaphore-8", operation: "acquire and release 1 of 4, 8 goroutines",
		run: func(n int) int { return contend(contenders, n, semaphoreTurns) }},
}

// What the goroutines of one pass share.
type contended struct {
	mutex     sync.Mutex
	rwmutex   sync.RWMutex
	semaphore *weighted // of 4
	waitgroup sync.WaitGroup
	counter   int // under mutex
	one       int // read under rwmutex
	all       sync.WaitGroup
}

func mutexTurns(s *contended, turns int, seen *int) {
	for i := 0; i < turns; i++ {
		s.mutex.Lock()
		s.counter++
		s.mutex.Unlock()
	}
	*seen = turns
	s.all.Done()
}

func rwmutexTurns(s *contended, turns int, seen *int) {
	sum := 0
	for i := 0; i < turns; i++ {
		s.rwmutex.RLock()
		sum += s.one
		s.rwmutex.RUnlock()
	}
	*seen = sum
	s.all.Done()
}

func waitgroupTurns(s *contended, turns int, seen *int) {
	for i := 0; i < turns; i++ {
		s.waitgroup.Add(1)
		s.waitgroup.Done()
	}
	*seen = turns
	s.all.Done()
}

func semaphoreTurns(s *contended, turns int, seen *int) {
	ctx := context.Background()
	for i := 0; i < turns; i++ {
		check(s.semaphore.acquire(ctx, 1) == nil, "the background ended")
		s.semaphore.release(1)
	}
	*seen = turns
	s.all.Done()
}

// contend has `goroutines` do n turns between them.
func contend(goroutines, n int, turns func(*contended, int, *int)) int {
	each := (n + goroutines - 1) / goroutines
	shared := &contended{one: 1, semaphore: newWeighted(4)}
	seen := make([]int, goroutines)
	shared.all.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go turns(shared, each, &seen[i])
	}
	shared.all.Wait()
	shared.waitgroup.Wait()
	for i := 0; i < goroutines; i++ {
		check(seen[i] == each, "goroutine %d saw %d turns, not %d", i, seen[i], each)
	}
	check(shared.counter == 0 || shared.counter == goroutines*each,
		"the mutex let %d of %d through", shared.counter, goroutines*each)
	return goroutines * each
}
