// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"sync/atomic"
)

// 10,000 tasks of 1,000 additions each: a goroutine per task against a pool of 8 workers.
const (
	numTasks   = 10_000
	workLoad   = 1_000
	numWorkers = 8
	taskSum    = workLoad * (workLoad - 1) / 2
)

var taskWorkloads = []workload{
	{name: "tasks-alone", operation: "10,000 tasks of 1,000 additions, no goroutine",
		run: tasksAlone, memory: true},
	{name: "tasks-naive", operation: "10,000 tasks, a goroutine each",
		run: tasksNaive, memory: true},
	{name: "tasks-pool-unbuffered", operation: "10,000 tasks, 8 workers, unbuffered jobs",
		run: func(n int) int { return tasksPool(n, 0) }, memory: true},
	{name: "tasks-pool-buffered", operation: "10,000 tasks, 8 workers, jobs buffered for all",
		run: func(n int) int { return tasksPool(n, numTasks) }, memory: true},
}

//go:noinline
func doTask(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += i
	}
	return sum
}

// checkSum tells whether n times all tasks were done, each right.
func checkSum(n, sum int) {
	check(sum == n*numTasks*taskSum, "the sum of %d times all tasks is %d", n, sum)
}

func tasksAlone(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		for j := 0; j < numTasks; j++ {
			sum += doTask(workLoad)
		}
	}
	checkSum(n, sum)
	return n
}

// What the goroutines of one operation share. The total is beside the waitgroup, so that one cache
// line travels.
type taskBatch struct {
	wg    sync.WaitGroup
	total atomic.Int64
}

func tasksNaive(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		var batch taskBatch
		batch.wg.Add(numTasks)
		for j := 0; j < numTasks; j++ {
			go func() {
				defer batch.wg.Done()
				batch.total.Add(int64(doTask(workLoad)))
			}()
		}
		batch.wg.Wait()
		sum += int(batch.total.Load())
	}
	checkSum(n, sum)
	return n
}

func tasksPool(n, capacity int) int {
	sum := 0
	for i := 0; i < n; i++ {
		jobs := make(chan int, capacity)
		var batch taskBatch
		batch.wg.Add(numWorkers)
		for w := 0; w < numWorkers; w++ {
			go func() {
				defer batch.wg.Done()
				total := 0
				for job := range jobs {
					total += doTask(job)
				}
				batch.total.Add(int64(total))
			}()
		}
		for j := 0; j < numTasks; j++ {
			jobs <- workLoad
		}
		close(jobs)
		batch.wg.Wait()
		sum += int(batch.total.Load())
	}
	checkSum(n, sum)
	return n
}
