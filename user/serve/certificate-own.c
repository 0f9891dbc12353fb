/* SPDX-License-Identifier: MIT */
/* A certificate that the server makes for itself: nobody can know that it is this server's, but
 * what is said stays between the two. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "certificate.h"

#include "../kube/problem.h"

#define VALID_SECONDS (10L * 365 * 24 * 3600)
#define SERIAL_BYTES 16

static int set_serial(gnutls_x509_crt_t cert)
{
	unsigned char serial[SERIAL_BYTES];
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] = (unsigned char)((serial[0] & 0x7f) | 1); /* a number above 0 */
	return r < 0 ? r : gnutls_x509_crt_set_serial(cert, serial, sizeof(serial));
}

/* RFC 5280; the names are those of the node, and of who asks from it. */
static int fill(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, const char *name)
{
	/* whose clock is behind ours takes it, too */
	time_t begin = time(NULL) - 3600;
	int r = gnutls_x509_crt_set_version(cert, 3);

	if (r >= 0)
		r = set_serial(cert);
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(cert, begin);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(cert, begin + VALID_SECONDS);
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, "whocalls",
						  strlen("whocalls"));
	if (r >= 0)
		r = gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, name,
							 (unsigned int)strlen(name),
							 GNUTLS_FSAN_SET);
	if (r >= 0)
		r = gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, "localhost",
							 strlen("localhost"), GNUTLS_FSAN_APPEND);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (r >= 0)
		r = gnutls_x509_crt_set_key(cert, key);
	if (r >= 0)
		r = gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0);
	return r;
}

static int make(struct certificate *certificate, const char *name)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t cert = NULL;
	int r = gnutls_x509_privkey_init(&key);

	if (r >= 0)
		r = gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r >= 0)
		r = gnutls_x509_crt_init(&cert);
	if (r >= 0)
		r = fill(cert, key, name);
	if (r >= 0)
		r = gnutls_certificate_set_x509_key(certificate->credentials, &cert, 1, key);
	if (cert)
		gnutls_x509_crt_deinit(cert);
	if (key)
		gnutls_x509_privkey_deinit(key);
	return r;
}

int certificate_make(struct certificate **out, const char *name, char *error, size_t error_size)
{
	const struct problem problem = {.text = error, .size = error_size};
	int r = certificate_new(out);

	if (r)
		return problem_no_memory(&problem);
	r = make(*out, name);
	if (r >= 0)
		return 0;
	certificate_leave(*out);
	*out = NULL;
	return problem_set(&problem, -EIO,
			   "making a certificate: %s; give one with --tls-cert and --tls-key",
			   gnutls_strerror(r));
}
