// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"sync/atomic"
	"time"
)

const million = 1_000_000

var sleepWorkloads = []workload{
	{name: "sleepers",
		operation: "one of 1M goroutines that sleep until the same instant: start and end",
		measure:   sleepers},
	{name: "sleepers-random",
		operation: "one of 1M goroutines that sleep 0 to 1 s each: wall time",
		measure:   sleepersRandom},
}

// What a million sleepers share.
type dormitory struct {
	wg     sync.WaitGroup
	asleep atomic.Int64
	late   atomic.Int64 // ns, the sum
	worst  atomic.Int64 // ns
	early  atomic.Int64 // how many woke before their time
}

// woken notes when a sleeper woke that wanted to at `due`.
func (d *dormitory) woken(due time.Time) {
	late := int64(time.Since(due))
	if late < 0 {
		d.early.Add(1)
	}
	d.late.Add(late)
	worst := d.worst.Load()
	for late > worst && !d.worst.CompareAndSwap(worst, late) {
		worst = d.worst.Load()
	}
	d.wg.Done()
}

func (d *dormitory) sleepUntil(due time.Time) {
	d.asleep.Add(1)
	time.Sleep(time.Until(due))
	d.woken(due)
}

func (d *dormitory) sleepFor(length time.Duration) {
	due := time.Now().Add(length)
	time.Sleep(length)
	d.woken(due)
}

// sleepers starts n goroutines that sleep until the same instant, weighs them while all are asleep,
// and times start and end. When the machine was too slow to start all before that instant, it tries
// again with twice the time. The start is that of the first try, when no stack was in a cache, and
// sizes count from before it.
func sleepers() float64 {
	n := scaled(million, 1000)
	before := memoryNow()
	var starting time.Duration
	for night := 12 * time.Second * time.Duration(n) / million; ; night *= 2 {
		var d dormitory
		start := time.Now()
		due := start.Add(night + 50*time.Millisecond)
		d.wg.Add(n)
		for i := 0; i < n; i++ {
			go d.sleepUntil(due)
		}
		for d.asleep.Load() < int64(n) {
			time.Sleep(time.Millisecond)
		}
		if starting == 0 {
			starting = time.Since(start)
		}
		weight := memoryNow() - before
		inTime := time.Now().Before(due)
		d.wg.Wait()
		if !inTime {
			continue
		}
		ending := time.Since(due)
		check(d.early.Load() == 0, "%d woke early", d.early.Load())
		note("start_ms", "%.2f", float64(starting)/1e6)
		note("end_ms", "%.2f", float64(ending)/1e6)
		note("bytes_each", "%.2f", float64(weight)/float64(n))
		return float64(starting+ending) / float64(n)
	}
}

// mix spreads i over 64 bits: splitmix64.
func mix(i uint64) uint64 {
	i += 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	i = (i ^ i>>27) * 0x94d049bb133111eb
	return i ^ i>>31
}

func sleepersRandom() float64 {
	n := scaled(million, 1000)
	var d dormitory
	start := time.Now()
	d.wg.Add(n)
	for i := 0; i < n; i++ {
		go d.sleepFor(time.Duration(mix(uint64(i)) % uint64(time.Second)))
	}
	d.wg.Wait()
	wall := time.Since(start)
	check(d.early.Load() == 0, "%d woke early", d.early.Load())
	note("wall_ms", "%.2f", float64(wall)/1e6)
	note("late_mean_us", "%.2f", float64(d.late.Load())/float64(n)/1e3)
	note("late_worst_us", "%.2f", float64(d.worst.Load())/1e3)
	return float64(wall) / float64(n)
}
