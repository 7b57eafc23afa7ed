// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

const (
	message    = 64
	serverRoom = 4096
	buckets    = 40 * 16
)

var tcpWorkloads = []workload{
	{name: "tcp-echo-1", operation: "a round trip of 64 bytes over TCP, one connection",
		run: one, after: noteTimes},
	{name: "tcp-echo-64", operation: "a round trip of 64 bytes over TCP, 64 connections at a time",
		run: some, after: noteTimes, memory: true},
	{name: "tcp-echo-1000", operation: "a round trip of 64 bytes over TCP, 1,000 connections at a time",
		measure: many},
}

// What the clients of one pass share.
type echoing struct {
	address string
	wg      sync.WaitGroup // clients and servers
	dialled sync.WaitGroup // clients that are not
	mutex   sync.Mutex
	times   [buckets]int // guarded by mutex: how many round trips took so long
}

var lastTimes [buckets]int // of the last pass

// bucketOf has sixteen to each power of two.
func bucketOf(ns int64) int {
	shift := 0
	for ns>>shift >= 32 {
		shift++
	}
	return min(shift*16+int(ns>>shift), buckets-1)
}

func bucketStart(i int) int {
	if i < 32 {
		return i
	}
	return (16 + i%16) << (i/16 - 1)
}

func noteTimes() {
	all, seen, half := 0, 0, -1
	for _, n := range lastTimes {
		all += n
	}
	for i, n := range lastTimes {
		seen += n
		if half < 0 && seen*2 >= all {
			half = bucketStart(i)
		}
		if seen*100 >= all*99 {
			note("median_us", "%.1f", float64(half)/1e3)
			note("p99_us", "%.1f", float64(bucketStart(i))/1e3)
			return
		}
	}
}

func echoBack(e *echoing, conn net.Conn) {
	var buffer [serverRoom]byte // it cannot know how long messages are
	for {
		n, err := conn.Read(buffer[:])
		if n <= 0 || err != nil {
			break
		}
		written, _ := conn.Write(buffer[:n])
		check(written == n, "a write failed")
	}
	conn.Close()
	e.wg.Done()
}

func echoServe(e *echoing, l net.Listener, clients int) {
	for i := 0; i < clients; i++ {
		conn, err := l.Accept()
		check(err == nil, "accept failed")
		go echoBack(e, conn)
	}
}

func echoClient(e *echoing, turns int) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(context.Background(), "tcp", e.address)
	check(err == nil, "dial: %v", err)
	e.dialled.Done()
	e.dialled.Wait()
	var sent, got [message]byte
	var times [buckets]uint32
	for i := range sent {
		sent[i] = 'x'
	}
	for i := 0; i < turns; i++ {
		start := time.Now()
		binary.LittleEndian.PutUint64(sent[:], uint64(i))
		n, _ := conn.Write(sent[:])
		check(n == message, "a write failed")
		_, err := io.ReadFull(conn, got[:])
		check(err == nil, "a read returned %v", err)
		check(bytes.Equal(sent[:], got[:]), "another message came back")
		times[bucketOf(int64(time.Since(start)))]++
	}
	conn.Close()
	e.mutex.Lock()
	for i, n := range times {
		e.times[i] += int(n)
	}
	e.mutex.Unlock()
	e.wg.Done()
}

// echoes shares n round trips among the clients, and returns how many there were, and how long they
// took without the dialling.
func echoes(clients, n int) (int, time.Duration) {
	var e echoing
	turns := (n + clients - 1) / clients
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "listen failed")
	e.address = l.Addr().String()
	e.wg.Add(2 * clients)
	e.dialled.Add(clients)
	go echoServe(&e, l, clients)
	for i := 0; i < clients; i++ {
		go echoClient(&e, turns)
	}
	e.dialled.Wait()
	start := time.Now()
	e.wg.Wait()
	took := time.Since(start)
	l.Close()
	lastTimes = e.times
	return turns * clients, took
}

func one(n int) int {
	done, _ := echoes(1, n)
	return done
}

func some(n int) int {
	done, _ := echoes(64, n)
	return done
}

// Dialling would be most of it: not counted.
func many() float64 {
	n, took := echoes(1000, scaled(240000, 2000))
	noteTimes()
	return float64(took) / float64(n)
}
