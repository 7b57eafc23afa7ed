// SPDX-License-Identifier: MIT
/*
 * Names and texts of error codes.
 */
#include "test.h"

#include <limits.h>

TEST_PLAIN(own_codes_have_names_and_texts)
{
	CHECK_STR(tuza_strerror(TUZA_ECLOSED), "channel closed");
	CHECK_STR(tuza_error_name(TUZA_ECLOSED), "TUZA_ECLOSED");
	CHECK_STR(tuza_strerror(TUZA_EIOTIMEOUT), "i/o timeout");
	CHECK_STR(tuza_error_name(TUZA_EOF), "TUZA_EOF");
}

TEST_PLAIN(codes_of_a_context_speak_as_in_Go)
{
	CHECK_STR(tuza_strerror(-ECANCELED), "context canceled");
	CHECK_STR(tuza_strerror(-ETIMEDOUT), "context deadline exceeded");
	CHECK_STR(tuza_error_name(-ETIMEDOUT), "ETIMEDOUT");
}

TEST_PLAIN(errno_values_have_the_words_of_the_C_library)
{
	CHECK_STR(tuza_strerror(-ENOENT), "No such file or directory");
	CHECK_STR(tuza_error_name(-ENOENT), "ENOENT");
	CHECK_STR(tuza_strerror(0), "success");
}

TEST_PLAIN(positive_code_is_read_as_its_negative)
{
	CHECK_STR(tuza_strerror(ECANCELED), "context canceled");
	CHECK_STR(tuza_error_name(10001), "TUZA_ECLOSED");
}

TEST_PLAIN(code_that_nobody_gives_is_unknown)
{
	static const int codes[] = {-10000, -10900, -4096, -4095, -1000, INT_MIN, INT_MAX};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		CHECK_STR(tuza_strerror(codes[i]), "unknown error");
		CHECK_STR(tuza_error_name(codes[i]), "?");
	}
	CHECK_STR(tuza_error_name(0), "?");
}

// The strings are constants: a second call gives the same one, and errno stays.
TEST_PLAIN(text_is_never_changed)
{
	const char *text = tuza_strerror(-EACCES);

	errno = E2BIG;
	tuza_strerror(-EPERM);
	tuza_strerror(-77777);
	CHECK(tuza_strerror(-EACCES) == text);
	CHECK_EQ(errno, E2BIG);
}
