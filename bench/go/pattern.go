// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"sync"
)

// The patterns, as Go programs write them: a worker pool, a pipeline of stages, fan-out and fan-in.
// All watch a context that can be cancelled.
const (
	poolWorkers   = 8
	stageCount    = 4
	fanWidth      = 4
	patternBuffer = 128
)

var patternWorkloads = []workload{
	{name: "pool-unbuffered", operation: "an item through a pool of 8 workers, no buffers",
		run: func(n int) int { return pool(0, n) }},
	{name: "pool-buffered", operation: "an item through a pool of 8 workers, buffers of 128",
		run: func(n int) int { return pool(patternBuffer, n) }},
	{name: "pipeline-unbuffered", operation: "an item through 4 stages, no buffers",
		run: func(n int) int { return pipeline(0, n) }},
	{name: "pipeline-buffered", operation: "an item through 4 stages, buffers of 128",
		run: func(n int) int { return pipeline(patternBuffer, n) }},
	{name: "fan-out-in", operation: "an item to one of 4 workers and merged again, buffers of 128",
		run: fan},
}

type work func(ctx context.Context, in int) (int, error)

func addOne(_ context.Context, in int) (int, error) { return in + 1, nil }

func source(ctx context.Context, capacity, n int) <-chan int {
	c := make(chan int, capacity)
	go func() {
		defer close(c)
		for i := 0; i < n; i++ {
			select {
			case c <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

// checkItems receives the numbers from 0 to n - 1, to each of which `added` was added.
func checkItems(c <-chan int, n, added int) {
	count, sum := 0, 0
	for v := range c {
		count++
		sum += v
	}
	check(count == n && sum == n*(n-1)/2+n*added, "%d of %d items came, the sum is %d", count, n, sum)
}

// forward has fn work on the values of in until it is closed, ctx ends or fn fails.
func forward(ctx context.Context, cancel context.CancelCauseFunc, in <-chan int, out chan<- int, fn work) {
	for {
		select {
		case v, ok := <-in:
			if !ok {
				return
			}
			made, err := fn(ctx, v)
			if err != nil {
				cancel(err)
				return
			}
			select {
			case out <- made:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func workerPool(ctx context.Context, workers int, jobs <-chan int, results chan<- int, fn work) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer close(results)
	var wg sync.WaitGroup
	wg.Add(workers)
	for i := 0; i < workers; i++ {
		go func() {
			defer wg.Done()
			forward(ctx, cancel, jobs, results, fn)
		}()
	}
	wg.Wait()
	return context.Cause(ctx)
}

func pool(capacity, n int) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	jobs := source(ctx, capacity, n)
	results := make(chan int, capacity)
	go workerPool(ctx, poolWorkers, jobs, results, addOne)
	checkItems(results, n, 1)
	return n
}

func stage(ctx context.Context, cancel context.CancelCauseFunc, in <-chan int, fn work) <-chan int {
	out := make(chan int, cap(in))
	go func() {
		defer close(out)
		forward(ctx, cancel, in, out, fn)
	}()
	return out
}

func pipeline(capacity, n int) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	c := source(ctx, capacity, n)
	for i := 0; i < stageCount; i++ {
		c = stage(ctx, cancel, c, addOne)
	}
	checkItems(c, n, stageCount)
	return n
}

func fanIn(ctx context.Context, in []<-chan int) <-chan int {
	out := make(chan int, cap(in[0]))
	var wg sync.WaitGroup
	wg.Add(len(in))
	for _, c := range in {
		go func() {
			defer wg.Done()
			for {
				select {
				case v, ok := <-c:
					if !ok {
						return
					}
					select {
					case out <- v:
					case <-ctx.Done():
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

func fan(n int) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	in := source(ctx, patternBuffer, n)
	outs := make([]<-chan int, fanWidth)
	for i := range outs {
		outs[i] = stage(ctx, cancel, in, addOne)
	}
	checkItems(fanIn(ctx, outs), n, 1)
	return n
}
