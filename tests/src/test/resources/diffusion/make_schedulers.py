"""Records schedulers.json with diffusers: python make_schedulers.py schedulers.json

Each run has four elements. The first sample is sin(j + 1) * init_noise_sigma, the network's output at
step i is cos(1.7 i + 0.9 j), and the noise sin(2.3 i + 0.7 j + 0.1).
"""

import json
import math
import sys

import numpy as np
import torch
from diffusers import schedulers

E, A, D = "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"
U, I, L, P = "UniPCMultistepScheduler", "DDIMScheduler", "LCMScheduler", "PNDMScheduler"
COMMON = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)

# class, steps, begin, options
CASES = [
    (E, 7, 0, dict(interpolation_type="log_linear")),
    (E, 7, 0, dict(use_exponential_sigmas=True, timestep_spacing="leading")),
    (E, 7, 0, dict(use_karras_sigmas=True, sigma_min=0.1, sigma_max=10.0)),
    (E, 7, 0, dict(final_sigmas_type="sigma_min", timestep_spacing="trailing", prediction_type="sample")),
    (E, 7, 0, dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")),
    (E, 7, 0, dict(timestep_type="continuous", prediction_type="v_prediction", use_karras_sigmas=True, sigma_min=0.002, sigma_max=700.0)),
    (E, 1, 0, dict(timestep_spacing="trailing")),
    (E, 7, 0, dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02)),
    (E, 7, 0, dict(trained_betas=[0.001+0.0001*i for i in range(64)], num_train_timesteps=64, timestep_spacing="leading")),
    (A, 7, 0, dict(prediction_type="v_prediction")),
    (A, 7, 0, dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")),
    (D, 7, 0, dict(solver_order=3)),
    (D, 16, 0, dict(solver_order=3, prediction_type="v_prediction", timestep_spacing="leading", steps_offset=1)),
    (D, 7, 0, dict(solver_order=1, timestep_spacing="trailing")),
    (D, 7, 0, dict(solver_type="heun", use_karras_sigmas=True)),
    (D, 7, 0, dict(use_lu_lambdas=True)),
    (D, 7, 0, dict(use_exponential_sigmas=True, euler_at_final=True)),
    (D, 16, 0, dict(final_sigmas_type="sigma_min", lower_order_final=False)),
    (D, 7, 0, dict(beta_schedule="squaredcos_cap_v2", use_karras_sigmas=True)),
    (D, 7, 0, dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1)),
    (D, 7, 0, dict(algorithm_type="sde-dpmsolver++", solver_type="midpoint", prediction_type="sample")),
    (D, 7, 3, dict(algorithm_type="sde-dpmsolver++")),
    (U, 7, 0, dict(solver_order=3)),
    (U, 7, 0, dict(solver_order=1, solver_type="bh1", final_sigmas_type="sigma_min")),
    (U, 7, 0, dict(solver_order=3, solver_type="bh1", prediction_type="v_prediction", disable_corrector=[0, 2], final_sigmas_type="sigma_min")),
    (U, 7, 0, dict(predict_x0=False, final_sigmas_type="sigma_min")),
    (U, 7, 0, dict(use_exponential_sigmas=True, final_sigmas_type="sigma_min")),
    (U, 7, 0, dict(use_karras_sigmas=True, sigma_min=0.05, sigma_max=12.0, lower_order_final=False, final_sigmas_type="sigma_min")),
    (I, 7, 0, dict(clip_sample=True, clip_sample_range=0.8, set_alpha_to_one=True)),
    (I, 7, 0, dict(clip_sample=False, prediction_type="sample", timestep_spacing="linspace")),
    (I, 7, 0, dict(clip_sample=False, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing")),
    (I, 7, 3, dict(clip_sample=False, steps_offset=1, set_alpha_to_one=False)),
    (L, 7, 0, dict(clip_sample=True, clip_sample_range=0.5, prediction_type="v_prediction", timestep_scaling=2.0)),
    (L, 4, 1, dict(original_inference_steps=20, prediction_type="sample")),
    (P, 7, 0, dict(skip_prk_steps=True, prediction_type="v_prediction", timestep_spacing="trailing")),
    (P, 7, 0, dict(skip_prk_steps=True, timestep_spacing="linspace", set_alpha_to_one=True)),
    (P, 1, 0, dict(skip_prk_steps=True)),
]


def floats(values):
    return [float(str(np.float32(v))) for v in np.array(values, dtype=np.float32).ravel()]


def wave(f):
    return torch.tensor([[[[np.float32(f(j)) for j in range(4)]]]], dtype=torch.float32)


def record(name, steps, begin, options):
    cls = getattr(schedulers, name)
    scheduler = cls(**COMMON | options)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    timesteps = scheduler.timesteps[begin:]
    sigma = float(scheduler.init_noise_sigma)
    x = wave(lambda j: math.sin(j + 1)) * sigma
    run = dict(
        config={"_class_name": name, **COMMON, **options},
        steps=steps,
        begin=begin,
        init_noise_sigma=sigma,
        timesteps=floats(timesteps),
    )
    if begin:
        x = scheduler.add_noise(wave(lambda j: math.sin(j + 1)), wave(lambda j: math.cos(5 + j)), timesteps[:1])
        run["noised"] = floats(x)
    if hasattr(scheduler, "sigmas"):
        run["sigmas"] = floats(scheduler.sigmas[begin : steps + 1])
    run["prev_samples"] = []
    for i, t in enumerate(timesteps):
        noise = wave(lambda j: math.sin(2.3 * i + 0.7 * j + 0.1))
        sys.modules[cls.__module__].randn_tensor = lambda *args, **kwargs: noise
        scheduler.scale_model_input(x, t)
        x = scheduler.step(wave(lambda j: math.cos(1.7 * i + 0.9 * j)), t, x).prev_sample
        run["prev_samples"].append(floats(x))
    return run


with open(sys.argv[1], "w") as out:
    out.write("[" + ",\n".join(json.dumps(record(*case), separators=(",", ":")) for case in CASES) + "]")
