/* SPDX-License-Identifier: MIT */
#include "certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../kube/file.h"

#define PEM_MAX (1 << 20)

/* GnuTLS ends its sentences with a full stop; ours goes on. */
static int sentence_length(const char *sentence)
{
	size_t length = strlen(sentence);

	return (int)(length && sentence[length - 1] == '.' ? length - 1 : length);
}

static int take(struct certificate *certificate, const char *cert_file, const char *key_file,
		const struct problem *problem)
{
	struct secret cert = {0}, key = {0};
	gnutls_datum_t cert_pem, key_pem;
	int r;

	r = file_read(cert_file, PEM_MAX, NULL, true, &cert, problem);
	if (!r)
		r = file_read(key_file, PEM_MAX, NULL, true, &key, problem);
	if (r)
		goto out;
	cert_pem = (gnutls_datum_t){(unsigned char *)cert.data, (unsigned int)cert.size};
	key_pem = (gnutls_datum_t){(unsigned char *)key.data, (unsigned int)key.size};
	/* also finds out whether one belongs to the other */
	r = gnutls_certificate_set_x509_key_mem(certificate->credentials, &cert_pem, &key_pem,
						GNUTLS_X509_FMT_PEM);
	if (r == GNUTLS_E_MEMORY_ERROR)
		r = problem_no_memory(problem);
	else if (r < 0)
		r = problem_set(problem, -EINVAL,
				"the certificate %s with the key %s: %.*s; give a certificate in "
				"PEM form and the key that belongs to it, without a password",
				cert_file, key_file, sentence_length(gnutls_strerror(r)),
				gnutls_strerror(r));
	else
		r = 0; /* it was the index of what was added */
out:
	secret_deinit(&cert);
	secret_deinit(&key);
	return r;
}

int certificate_new(struct certificate **out)
{
	struct certificate *certificate = calloc(1, sizeof(*certificate));

	*out = NULL;
	if (!certificate)
		return -ENOMEM;
	certificate->users = 1;
	if (gnutls_certificate_allocate_credentials(&certificate->credentials)) {
		free(certificate);
		return -ENOMEM;
	}
	*out = certificate;
	return 0;
}

int certificate_load(struct certificate **out, const char *cert_file, const char *key_file,
		     char *error, size_t error_size)
{
	const struct problem problem = {.text = error, .size = error_size};
	int r = certificate_new(out);

	if (r)
		return problem_no_memory(&problem);
	r = take(*out, cert_file, key_file, &problem);
	if (!r)
		return 0;
	certificate_leave(*out);
	*out = NULL;
	return r;
}

void certificate_use(struct certificate *certificate, gnutls_session_t session)
{
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, certificate->credentials);
	certificate->users++;
}

void certificate_leave(struct certificate *certificate)
{
	if (!certificate || --certificate->users)
		return;
	gnutls_certificate_free_credentials(certificate->credentials);
	free(certificate);
}
