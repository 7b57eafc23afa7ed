// SPDX-License-Identifier: MIT
/*
 * What is executed, and with which environment.
 *
 * Looked for here and not in the child, which must not use memory; so it is this process's PATH
 * that counts, not that of options.env, as in Go. Go: src/os/exec/lp_unix.go
 */
#define _GNU_SOURCE
#include "process/process.h"

#include <tuza/goroutine.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Whether this process may execute the file: 0, -ENOENT, -EACCES …
static int check_executable(const char *path)
{
	struct stat s;
	int saved = errno, error = 0;

	if (stat(path, &s) != 0)
		error = -errno;
	else if (S_ISDIR(s.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
		error = -EACCES;
	errno = saved;
	return error;
}

// In one directory of PATH, of n characters.
static int find_in(const char *dir, size_t n, const char *name, char *path, size_t bytes)
{
	size_t length = strlen(name);

	if (n == 0 || dir[0] != '/')
		return -ENOENT;
	if (n + 1 + length + 1 > bytes)
		return -ENAMETOOLONG;
	memcpy(path, dir, n);
	path[n] = '/';
	memcpy(path + n + 1, name, length + 1);
	return check_executable(path);
}

int path_find(const char *name, char *path, size_t bytes)
{
	const char *dirs = getenv("PATH");
	int worst = -ENOENT;

	if (!name[0])
		return -ENOENT;
	if (strchr(name, '/')) {
		size_t length = strlen(name);
		if (length + 1 > bytes)
			return -ENAMETOOLONG;
		memcpy(path, name, length + 1);
		return 0;
	}
	if (!dirs)
		dirs = "/bin:/usr/bin"; // confstr(_CS_PATH), as execvp
	for (size_t n;; dirs += n + 1) {
		n = strcspn(dirs, ":");
		int error = find_in(dirs, n, name, path, bytes);
		if (error == 0)
			return 0;
		if (error == -EACCES || (error == -ENAMETOOLONG && worst == -ENOENT))
			worst = error;
		if (!dirs[n])
			return worst;
	}
}

EXPORT int tuza_process_look_path(const char *name, char *path, size_t bytes)
{
	tuza_blocking_begin();
	int error = path_find(name, path, bytes);
	if (error == 0 && strchr(name, '/'))
		error = check_executable(path);
	tuza_blocking_end();
	return error;
}

// ---- environment -------------------------------------------------------------------------------

static size_t count_of(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

// Whether one of the list has the same name.
static bool is_replaced(const char *variable, const char *const *list)
{
	size_t n = strcspn(variable, "=");

	for (; list && *list; list++)
		if (strncmp(*list, variable, n) == 0 && ((*list)[n] == '=' || !(*list)[n]))
			return true;
	return false;
}

const char **environment_make(const char *const *env, const char *const *more)
{
	const char *const *base = env ? env : (const char *const *)environ;
	size_t n = 0;
	const char **made = malloc((count_of(base) + count_of(more) + 1) * sizeof *made);

	if (!made)
		return NULL;
	for (; base && *base; base++)
		if (!is_replaced(*base, more))
			made[n++] = *base;
	for (; more && *more; more++)
		if (!is_replaced(*more, more + 1)) // the last one counts
			made[n++] = *more;
	made[n] = NULL;
	return made;
}
