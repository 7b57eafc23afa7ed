// SPDX-License-Identifier: MIT

package main

import (
	"sort"
	"time"
)

var timerWorkloads = []workload{
	{name: "timer-stop", operation: "a timer made for an hour and stopped",
		run: timerStop, memory: true},
	{name: "timer-func-stop", operation: "a function to be called in an hour, and stopped",
		run: timerFuncStop, memory: true},
	{name: "timer-late", operation: "a sleep of 1 ms alone: how late it ends, on average",
		measure: timerLate},
}

func timerStop(n int) int {
	missed := 0
	for i := 0; i < n; i++ {
		t := time.NewTimer(time.Hour)
		if !t.Stop() {
			missed++
		}
	}
	check(missed == 0, "%d timers of an hour had fired", missed)
	return n
}

func neverCalled() {
	check(false, "the function of an hour's timer was called")
}

func timerFuncStop(n int) int {
	missed := 0
	for i := 0; i < n; i++ {
		t := time.AfterFunc(time.Hour, neverCalled)
		if !t.Stop() {
			missed++
		}
	}
	check(missed == 0, "%d timers of an hour had fired", missed)
	return n
}

func timerLate() float64 {
	n := scaled(300, 20)
	late := make([]int, n)
	total := 0
	for i := range late {
		due := time.Now().Add(time.Millisecond)
		time.Sleep(time.Millisecond)
		late[i] = int(time.Since(due))
		check(late[i] >= 0, "a sleep ended %d ns early", -late[i])
		total += late[i]
	}
	sort.Ints(late)
	note("median_us", "%.2f", float64(late[n/2])/1e3)
	note("p99_us", "%.2f", float64(late[n*99/100])/1e3)
	note("worst_us", "%.2f", float64(late[n-1])/1e3)
	return float64(total) / float64(n)
}
