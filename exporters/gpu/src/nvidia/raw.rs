//! The calls that nvml-wrapper does not offer, or not as needed: field values of one link (it asks for link 0 whatever
//! one wants), memory as drivers before 510 tell it, the number of a partition, and whether two handles are the same card.

#![expect(unsafe_code, reason = "calls into the driver's library that the wrapper lacks")]

use nvml_wrapper::{
    Device,
    error::{NvmlError, nvml_try},
};
use nvml_wrapper_sys::bindings::{
    nvmlFieldValue_t, nvmlMemory_t, nvmlValue_t, nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE as DOUBLE,
    nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT as SIGNED_INT,
    nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG as SIGNED_LONG_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT as UNSIGNED_INT,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG as UNSIGNED_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG as UNSIGNED_LONG_LONG, nvmlValueType_t,
};

/// One answer for each field and scope that was asked for (the link's number, for a link's fields).
pub(super) fn fields(device: &Device<'_>, asked: &[(u32, u32)]) -> Result<Vec<Result<u64, NvmlError>>, NvmlError> {
    let call = device.nvml().lib().nvmlDeviceGetFieldValues.as_ref();
    let call = call.map_err(|error| NvmlError::FailedToLoadSymbol(error.to_string()))?;
    let empty = |&(field, scope)| nvmlFieldValue_t {
        fieldId: field,
        scopeId: scope,
        timestamp: 0,
        latencyUsec: 0,
        valueType: UNSIGNED_LONG_LONG,
        // What the driver does not touch was not answered.
        nvmlReturn: NvmlError::NotSupported.into(),
        value: nvmlValue_t { ullVal: 0 },
    };
    let mut values: Vec<nvmlFieldValue_t> = asked.iter().map(empty).collect();
    let count = i32::try_from(values.len()).map_err(|_| NvmlError::InvalidArg)?;
    // SAFETY: the handle belongs to the library that is called, and `values` has room for `count` answers.
    nvml_try(unsafe { call(device.handle(), count, values.as_mut_ptr()) })?;
    Ok(values
        .iter()
        .map(|value| nvml_try(value.nvmlReturn).and_then(|()| number(value.valueType, value.value)))
        .collect())
}

/// Memory as drivers tell it that do not tell the reserved part apart: it counts as used.
pub(super) fn memory(device: &Device<'_>) -> Result<nvmlMemory_t, NvmlError> {
    let call = device.nvml().lib().nvmlDeviceGetMemoryInfo.as_ref();
    let call = call.map_err(|error| NvmlError::FailedToLoadSymbol(error.to_string()))?;
    let mut memory = nvmlMemory_t { total: 0, free: 0, used: 0 };
    // SAFETY: the handle belongs to the library that is called, which fills in the structure.
    nvml_try(unsafe { call(device.handle(), &raw mut memory) })?;
    Ok(memory)
}

/// The number of the GPU instance that a partition belongs to.
pub(super) fn gpu_instance(partition: &Device<'_>) -> Result<u32, NvmlError> {
    let call = partition.nvml().lib().nvmlDeviceGetGpuInstanceId.as_ref();
    let call = call.map_err(|error| NvmlError::FailedToLoadSymbol(error.to_string()))?;
    let mut number = 0;
    // SAFETY: the handle belongs to the library that is called, which writes one number.
    nvml_try(unsafe { call(partition.handle(), &raw mut number) })?;
    Ok(number)
}

/// What tells handles apart while the library stays loaded, also of a card that no longer answers.
pub(super) fn address(device: &Device<'_>) -> usize {
    // SAFETY: the handle is looked at, never used.
    unsafe { device.handle() }.addr()
}

fn number(kind: nvmlValueType_t, value: nvmlValue_t) -> Result<u64, NvmlError> {
    // SAFETY: the driver says which member it has written.
    unsafe {
        match kind {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
            DOUBLE if value.dVal >= 0.0 => Ok(value.dVal as u64),
            UNSIGNED_INT => Ok(value.uiVal.into()),
            #[allow(clippy::useless_conversion, reason = "32 bits on Windows")]
            UNSIGNED_LONG => Ok(value.ulVal.into()),
            UNSIGNED_LONG_LONG => Ok(value.ullVal),
            SIGNED_INT => u64::try_from(value.siVal).map_err(|_| NvmlError::NoData),
            SIGNED_LONG_LONG => u64::try_from(value.sllVal).map_err(|_| NvmlError::NoData),
            other => Err(NvmlError::UnexpectedVariant(other)),
        }
    }
}
