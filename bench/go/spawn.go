// SPDX-License-Identifier: MIT

package main

import "sync"

// How many goroutines a batch starts before it waits for all: as many as the tasks of tasks.go.
const batchSize = 10_000

var spawnWorkloads = []workload{
	{name: "spawn-batch", operation: "a goroutine: 10,000 started, then all joined",
		run: spawnBatch, memory: true},
	{name: "spawn-one", operation: "a goroutine: one started and joined at a time",
		run: spawnOne, memory: true},
}

func spawned(wg *sync.WaitGroup, runs *uint32) {
	*runs++
	wg.Done()
}

func spawnBatch(n int) int {
	runs := make([]uint32, batchSize)
	batches := (n + batchSize - 1) / batchSize
	var wg sync.WaitGroup
	for b := 0; b < batches; b++ {
		wg.Add(batchSize)
		for i := 0; i < batchSize; i++ {
			go spawned(&wg, &runs[i])
		}
		wg.Wait()
	}
	for i := 0; i < batchSize; i++ {
		check(runs[i] == uint32(batches), "goroutine %d ran %d times, not %d", i, runs[i], batches)
	}
	return batches * batchSize
}

func spawnOne(n int) int {
	var runs uint32
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go spawned(&wg, &runs)
		wg.Wait()
	}
	check(runs == uint32(n), "%d goroutines ran, not %d", runs, n)
	return n
}
