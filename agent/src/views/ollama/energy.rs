//! Energy as people want it: watt hours and money for a thousand tokens.

use super::message::{DeviceEnergy, Energy, ModelEnergy};
use crate::{
    config,
    views::join::{DeviceSums, ModelSums, Sums},
};

const JOULES_PER_WATT_HOUR: f64 = 3600.0;
const HOURS_PER_DAY: f64 = 24.0;
/// A shorter rest is the end of some work: clocks and fans are still up.
const RESTED_SECONDS: f64 = 10.0;

/// What was measured, with what it costs.
pub(super) fn energy(sums: &Sums, config: &config::Energy) -> Energy {
    let price = config.price_per_kwh;
    let devices = sums.devices.iter().map(|(device, sums)| {
        let watts = rest_watts(sums);
        DeviceEnergy {
            device: device.clone(),
            rest_watts: watts.map(rounded),
            rest_cost_per_day: watts.zip(price).map(|(watts, price)| rounded(watts * HOURS_PER_DAY / 1000.0 * price)),
            shared_joules: rounded(sums.shared),
        }
    });
    let models = sums.models.iter().map(|(model, of_it)| {
        let watt_hours = per_1000_tokens(of_it, |_| Some(0.0));
        let rest = |device: &str| sums.devices.get(device).and_then(rest_watts);
        ModelEnergy {
            host: model.host.clone(),
            model: model.name.clone(),
            joules: rounded(of_it.alone.values().map(|(joules, _)| joules).sum()),
            generated_tokens: of_it.generated,
            watt_hours_per_1000_tokens: watt_hours.map(rounded),
            watt_hours_per_1000_tokens_above_rest: per_1000_tokens(of_it, rest).map(rounded),
            cost_per_1000_tokens: watt_hours.zip(price).map(|(hours, price)| rounded(hours / 1000.0 * price)),
        }
    });
    Energy {
        price_per_kwh: price,
        currency: config.currency.clone(),
        devices: devices.collect(),
        models: models.collect(),
    }
}

fn rest_watts(sums: &DeviceSums) -> Option<f64> {
    (sums.rest_seconds >= RESTED_SECONDS).then(|| sums.rest / sums.rest_seconds)
}

/// Watt hours of a thousand tokens less what the devices take at rest, by the power of each in watts.
fn per_1000_tokens(sums: &ModelSums, rest: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let above = sums.whole.iter().map(|(device, (joules, seconds))| Some(joules - rest(device)? * seconds));
    let joules: f64 = above.sum::<Option<f64>>()?;
    (sums.generated > 0.0).then(|| joules / JOULES_PER_WATT_HOUR / sums.generated * 1000.0)
}

/// Six digits, so that a message does not carry noise.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::views::join::Model;

    #[test]
    fn a_thousand_tokens_cost_what_they_took() {
        let gpu = || "GPU-1".into();
        let model = Model { host: "127.0.0.1:11434".into(), name: "a:latest".into() };
        let of_it = ModelSums {
            alone: BTreeMap::from([(gpu(), (9000.0, 30.0))]),
            whole: BTreeMap::from([(gpu(), (7200.0, 24.0))]),
            generated: 500.0,
        };
        let rest = DeviceSums { rest: 1500.0, rest_seconds: 60.0, shared: 12.0, others: 0.0 };
        let sums = Sums { devices: BTreeMap::from([(gpu(), rest.clone())]), models: BTreeMap::from([(model, of_it)]) };
        let config = config::Energy { price_per_kwh: Some(0.3), currency: "EUR".to_owned() };
        let shown = energy(&sums, &config);
        let (device, model) = (&shown.devices[0], &shown.models[0]);
        // 1500 J in 60 s.
        assert_eq!((device.rest_watts, device.rest_cost_per_day, device.shared_joules), (Some(25.0), Some(0.18), 12.0));
        // 7200 J are 2 Wh, for 500 tokens; 24 s of 25 W are a twelfth of that.
        assert_eq!((model.joules, model.watt_hours_per_1000_tokens), (9000.0, Some(4.0)));
        assert_eq!(model.watt_hours_per_1000_tokens_above_rest, Some(3.666_667));
        assert_eq!(model.cost_per_1000_tokens, Some(0.0012));

        let unknown = Sums { devices: BTreeMap::from([(gpu(), DeviceSums { rest_seconds: 9.9, ..rest })]), ..sums };
        let shown = energy(&unknown, &config::Energy { price_per_kwh: None, ..config });
        assert_eq!((shown.devices[0].rest_watts, shown.devices[0].rest_cost_per_day), (None, None));
        let model = &shown.models[0];
        assert_eq!(model.watt_hours_per_1000_tokens, Some(4.0));
        assert_eq!((model.watt_hours_per_1000_tokens_above_rest, model.cost_per_1000_tokens), (None, None));
    }
}
