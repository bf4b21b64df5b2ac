// What gatun jshell has imported, besides jshell's own defaults.
import io.gatun.loaders.*;
import io.gatun.models.*;
import io.gatun.models.diffusion.*;
import io.gatun.models.diffusion.schedulers.*;
import io.gatun.models.image.*;
import io.gatun.models.decoder.*;
import io.gatun.models.sam.*;
import io.gatun.models.sam.amg.*;
import io.gatun.models.sampling.*;
import io.gatun.models.text.*;
import io.gatun.tensor.*;
import io.gatun.tensor.ops.*;
import io.gatun.tensor.runtime.*;
import io.gatun.tensor.sequence.*;
