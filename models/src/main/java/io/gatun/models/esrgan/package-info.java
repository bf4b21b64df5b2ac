/// Networks that enlarge images: ESRGAN and Real-ESRGAN.
package io.gatun.models.esrgan;
