"""Sysfs trees as the drivers lay them out, written under a directory of the test."""

from __future__ import annotations

from pathlib import Path


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


def nano(root: Path) -> Path:
    """Jetson Nano 4GB, JetPack 4.6: NVIDIA's driver, three rails of one monitor."""
    device = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    return write(
        root,
        {
            "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
            f"{device}/name": "ina3221x\n",
            f"{device}/rail_name_0": "POM_5V_IN\n",
            f"{device}/rail_name_1": "POM_5V_GPU\n",
            f"{device}/rail_name_2": "POM_5V_CPU\n",
            f"{device}/in_voltage0_input": "5072\n",
            f"{device}/in_current0_input": "552\n",
            f"{device}/in_power0_input": "2799\n",
            f"{device}/in_power1_input": "123\n",
            f"{device}/in_power2_input": "697\n",
            f"{device}/crit_current_limit_0": "4000\n",
        },
    )


def orin_nano(root: Path) -> Path:
    """Jetson Orin Nano, JetPack 5: the kernel's driver; channels 4 to 7 are shunts and their sum, no rails."""
    device = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    files = {"proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0", f"{device}/name": "ina3221\n"}
    rails = {1: ("VDD_IN", 4976, 1104), 2: ("VDD_CPU_GPU_CV", 4976, 152), 3: ("VDD_SOC", 4976, 304)}
    for channel, (label, millivolts, milliamperes) in rails.items():
        files |= {
            f"{device}/in{channel}_label": f"{label}\n",
            f"{device}/in{channel}_enable": "1\n",
            f"{device}/in{channel}_input": f"{millivolts}\n",
            f"{device}/curr{channel}_input": f"{milliamperes}\n",
            f"{device}/shunt{channel}_resistor": "5000\n",
            f"{device}/in{channel + 3}_input": "5520\n",
        }
    files |= {f"{device}/in7_label": "sum of shunt voltages\n", f"{device}/in7_input": "7800\n"}
    return write(root, files)


def agx_orin(root: Path) -> Path:
    """Jetson AGX Orin: two monitors, no rail that feeds the whole module, a channel with nothing connected."""
    files = {"proc/device-tree/model": "Jetson AGX Orin\0"}
    monitors = {
        "1-0040/hwmon/hwmon3": ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
        "1-0041/hwmon/hwmon4": ("NC", "VDDQ_VDD2_1V8AO", "NC"),
    }
    for place, labels in monitors.items():
        for channel, label in enumerate(labels, 1):
            device = f"sys/bus/i2c/drivers/ina3221/{place}"
            files |= {
                f"{device}/in{channel}_label": f"{label}\n",
                f"{device}/in{channel}_input": "5000\n",
                f"{device}/curr{channel}_input": f"{channel * 100}\n",
            }
    return write(root, files)


def agx_xavier(root: Path) -> Path:
    """Jetson AGX Xavier, JetPack 4: six rails on two monitors."""
    files = {}
    monitors = {"1-0040/iio:device0": ("GPU", "CPU", "SOC"), "1-0041/iio:device1": ("CV", "VDDRQ", "SYS5V")}
    for place, labels in monitors.items():
        for channel, label in enumerate(labels):
            device = f"sys/bus/i2c/drivers/ina3221x/{place}"
            files |= {f"{device}/rail_name_{channel}": f"{label}\n", f"{device}/in_power{channel}_input": "1000\n"}
    return write(root, files)


def powercap(root: Path) -> Path:
    """Two packages with cores, graphics or memory, the platform's own counter, and the same counters by MMIO."""
    zones = {
        "intel-rapl:0": ("package-0", 1_000_000, 262_143_328_850),
        "intel-rapl:0:0": ("core", 400_000, 262_143_328_850),
        "intel-rapl:0:1": ("dram", 200_000, 65_712_999_613),
        "intel-rapl:1": ("package-1", 500_000, 262_143_328_850),
        "intel-rapl:2": ("psys", 9_000_000, 262_143_328_850),
        "intel-rapl-mmio:0": ("package-0", 1_000_000, 262_143_328_850),
    }
    files = {"intel-rapl/enabled": "1\n"}
    for zone, (name, energy_uj, range_uj) in zones.items():
        files |= {
            f"{zone}/name": f"{name}\n",
            f"{zone}/energy_uj": f"{energy_uj}\n",
            f"{zone}/max_energy_range_uj": f"{range_uj}\n",
        }
    return write(root, files)
