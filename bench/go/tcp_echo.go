// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

const (
	connections = 64
	message     = 64
)

var tcpWorkloads = []workload{
	{name: "tcp-echo-1", operation: "a round trip of 64 bytes over TCP, one connection",
		run: func(n int) int { return echoes(1, n) }},
	{name: "tcp-echo-64", operation: "a round trip of 64 bytes over TCP, 64 connections at a time",
		run: func(n int) int { return echoes(connections, n) }, memory: true},
}

// What the clients of one pass share.
type echoing struct {
	address string
	wg      sync.WaitGroup // clients and servers
}

func echoBack(e *echoing, conn net.Conn) {
	var buffer [message]byte
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
	var sent, got [message]byte
	for i := range sent {
		sent[i] = 'x'
	}
	for i := 0; i < turns; i++ {
		binary.LittleEndian.PutUint64(sent[:], uint64(i))
		n, _ := conn.Write(sent[:])
		check(n == message, "a write failed")
		_, err := io.ReadFull(conn, got[:])
		check(err == nil, "a read returned %v", err)
		check(bytes.Equal(sent[:], got[:]), "another message came back")
	}
	conn.Close()
	e.wg.Done()
}

// echoes shares n round trips among the clients, and returns how many there were.
func echoes(clients, n int) int {
	var e echoing
	turns := (n + clients - 1) / clients
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "listen failed")
	e.address = l.Addr().String()
	e.wg.Add(2 * clients)
	go echoServe(&e, l, clients)
	for i := 0; i < clients; i++ {
		go echoClient(&e, turns)
	}
	e.wg.Wait()
	l.Close()
	return turns * clients
}
