// SPDX-License-Identifier: MIT

package main

import (
	"container/list"
	"context"
	"sync"
)

// weighted is a semaphore as golang.org/x/sync has it, which is not part of Go's distribution: first
// come first served, a waiter is a channel in a list.
type weighted struct {
	mutex   sync.Mutex
	free    int64
	waiters list.List // of waiter
}

type waiter struct {
	n    int64
	done chan struct{} // closed when it has been served
}

func newWeighted(n int64) *weighted { return &weighted{free: n} }

func (s *weighted) acquire(ctx context.Context, n int64) error {
	done := ctx.Done()
	select {
	case <-done:
		return ctx.Err()
	default:
	}
	s.mutex.Lock()
	if s.free >= n && s.waiters.Len() == 0 {
		s.free -= n
		s.mutex.Unlock()
		return nil
	}
	w := waiter{n, make(chan struct{})}
	element := s.waiters.PushBack(w)
	s.mutex.Unlock()
	select {
	case <-w.done:
		return nil
	case <-done:
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-w.done: // served meanwhile
		return nil
	default:
		s.waiters.Remove(element)
		s.serve()
		return ctx.Err()
	}
}

func (s *weighted) release(n int64) {
	s.mutex.Lock()
	s.free += n
	s.serve()
	s.mutex.Unlock()
}

// serve gives what is free to the first ones. The mutex is held.
func (s *weighted) serve() {
	for first := s.waiters.Front(); first != nil; first = s.waiters.Front() {
		w := first.Value.(waiter)
		if w.n > s.free {
			return
		}
		s.free -= w.n
		s.waiters.Remove(first)
		close(w.done)
	}
}
