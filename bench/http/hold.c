// SPDX-License-Identifier: MIT
/*
 * hold PORT COUNT PATH: opens COUNT connections, asks for PATH once on each, reads the answer, and
 * says "held" when all are idle; holds them until its input ends.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_one(int port, const char *request)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char answer[1024];
	size_t got = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	for (int tries = 1000; fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0;
		tries--)
		if (fd < 0 || tries == 0 || usleep(10000) != 0) // it may have been started just now
			fail("connect");
	if (write(fd, request, strlen(request)) != (ssize_t)strlen(request))
		fail("write");
	// The head and the 13 bytes of the body.
	const char *end = NULL;
	while (!end || strlen(end) < 4 + 13) {
		ssize_t n = read(fd, answer + got, sizeof answer - 1 - got);
		if (n <= 0)
			fail("read");
		got += (size_t)n;
		answer[got] = '\0';
		end = strstr(answer, "\r\n\r\n");
	}
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
		fail(answer);
	return fd;
}

int main(int argc, char **argv)
{
	char request[256], byte;
	if (argc != 4)
		return 2;
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[3]);
	for (int i = atoi(argv[2]); i > 0; i--)
		(void)open_one(atoi(argv[1]), request);
	printf("held\n");
	fflush(stdout);
	return read(0, &byte, 1) < 0;
}
