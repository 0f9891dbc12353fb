/* SPDX-License-Identifier: MIT */
/* For cppcheck, which reads no headers of the system: the loops that are macros there. */
#define json_array_foreach(array, i, value) \
	for ((i) = 0; ((value) = json_array_get(array, i)); (i)++)
#define HASH_ITER(hh, head, el, tmp) \
	for ((el) = (head), (tmp) = (el) ? (el)->hh.next : NULL; (el); \
	     (el) = (tmp), (tmp) = (el) ? (el)->hh.next : NULL)
