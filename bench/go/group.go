// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"sync"
)

const (
	fanOut     = 8      // tasks of a small group
	groupBatch = 10_000 // tasks of a large one
	groupLimit = 8      // how many of a bounded one are under way at a time
)

// errgroup does what golang.org/x/sync/errgroup does, the same way: the benchmarks need no module.
type errgroup struct {
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	slots  chan struct{}
	once   sync.Once
	err    error
}

func newErrgroup(parent context.Context) (*errgroup, context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	return &errgroup{cancel: cancel}, ctx
}

func (g *errgroup) setLimit(n int) {
	g.slots = nil
	if n >= 0 {
		g.slots = make(chan struct{}, n)
	}
}

func (g *errgroup) start(task func() error) {
	if g.slots != nil {
		g.slots <- struct{}{}
	}
	g.wg.Add(1)
	go func() {
		defer g.ended()
		if err := task(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel(err)
			})
		}
	}()
}

func (g *errgroup) ended() {
	if g.slots != nil {
		<-g.slots
	}
	g.wg.Done()
}

func (g *errgroup) wait() error {
	g.wg.Wait()
	g.cancel(g.err)
	return g.err
}

// runGroups runs `groups` groups of `tasks` each.
func runGroups(groups, tasks, limit int) int {
	runs := make([]uint32, tasks)
	for g := 0; g < groups; g++ {
		group, _ := newErrgroup(context.Background())
		group.setLimit(limit)
		for i := 0; i < tasks; i++ {
			group.start(func() error {
				runs[i]++
				return nil
			})
		}
		err := group.wait()
		check(err == nil, "a group failed with %v", err)
	}
	for i, n := range runs {
		check(n == uint32(groups), "task %d ran %d times, not %d", i, n, groups)
	}
	return groups
}

var groupWorkloads = []workload{
	{name: "errgroup-8", operation: "a group of 8 tasks, made and waited for",
		run: func(n int) int { return runGroups(n, fanOut, -1) }, memory: true},
	{name: "errgroup-batch", operation: "a task: 10,000 in a group",
		run: func(n int) int {
			return groupBatch * runGroups((n+groupBatch-1)/groupBatch, groupBatch, -1)
		}, memory: true},
	{name: "errgroup-limit", operation: "a task: 10,000 in a group, 8 at a time",
		run: func(n int) int {
			return groupBatch * runGroups((n+groupBatch-1)/groupBatch, groupBatch, groupLimit)
		}, memory: true},
}
